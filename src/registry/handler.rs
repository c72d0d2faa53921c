//! The type-erased interface of a task.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::base::{BoxError, BoxFuture, Dead, Push, TaskError, TaskMetadata};

/// A task with its types erased: bytes in, JSON out.
pub(crate) trait Handler: Send + Sync {
    fn call(&self, input: TaskInput, metadata: TaskMetadata) -> BoxFuture<'_, Result<Vec<u8>, AttemptError>>;

    /// The work after the last attempt of a task with this body.
    fn on_dead(
        &self,
        body: Bytes,
        dead: Dead,
        metadata: TaskMetadata,
    ) -> BoxFuture<'_, Result<(), TaskError>> {
        drop((body, dead, metadata));
        Box::pin(async { Ok(()) })
    }
}

/// The input of a task.
#[derive(Clone, Debug)]
pub(crate) enum TaskInput {
    /// The body of a request to `/tasks/{name}`.
    Body(Bytes),
    /// A message pushed to `/subscriptions/{name}`.
    Push(Box<Push>),
}

/// A task with its state.
pub(crate) struct BoundTask {
    pub handler: Arc<dyn Handler>,
    pub state: Arc<dyn Any + Send + Sync>,
}

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) enum AttemptError {
    /// The body does not decode to the task's arguments; the text names the field and the position.
    Decode(String),
    /// The task returned an error.
    Task(TaskError),
    /// The output does not serialize.
    Output(serde_json::Error),
    /// The task panicked, with this message.
    Panicked(String),
    /// The task exceeded this timeout and was cancelled.
    TimedOut(Duration),
    /// Another delivery has claimed it and is still running.
    InProgress,
    /// The idempotency store failed.
    Store(BoxError),
    /// The task failed in the last attempt that it allows itself, and was recorded and its hook has run.
    Dead(Box<AttemptError>),
}
