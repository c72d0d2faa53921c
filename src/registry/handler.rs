//! Tasks with their types erased.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::base::{BoxError, BoxFuture, Dead, Push, TaskError, TaskMetadata};

/// A task with its types erased: bytes in, JSON out.
pub(crate) trait Handler: Send + Sync {
    fn call(&self, input: TaskInput, metadata: TaskMetadata) -> BoxFuture<'_, Result<Vec<u8>, AttemptError>>;

    /// What is to be done when a task of this body is given up.
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

/// What a task runs on.
#[derive(Clone, Debug)]
pub(crate) enum TaskInput {
    /// The body of a request to `/tasks/{name}`.
    Body(Bytes),
    /// A message that was pushed to `/subscriptions/{name}`.
    Push(Box<Push>),
}

/// A task and the state that it asked for.
pub(crate) struct BoundTask {
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) state: Arc<dyn Any + Send + Sync>,
}

/// Why a handler gave no result.
#[derive(Debug)]
pub(crate) enum AttemptError {
    /// The body is not the JSON of the task's arguments; the text names the field and the position.
    Decode(String),
    /// The task itself stopped.
    Task(TaskError),
    /// The output does not serialize.
    Output(serde_json::Error),
    /// The task panicked, with this message.
    Panicked(String),
    /// The task took longer than this and was cancelled.
    TimedOut(Duration),
    /// Another delivery has claimed it.
    InProgress,
    /// The idempotency store did not say whether it may run.
    Store(BoxError),
    /// The task failed in the last attempt that it allows itself, and all that is to be done then is done.
    Dead(Box<AttemptError>),
}
