//! The type-erased interface of a task.

use std::any::Any;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

#[cfg(feature = "testing")]
use crate::base::States;
use crate::base::{AttemptText, BoxError, BoxFuture, Dead, Push, TaskError, TaskMetadata, TurnedAway};

/// A task with its types erased: bytes in, JSON out.
pub(crate) trait Handler: Send + Sync {
    /// Runs the task. The future keeps the handler, so that it can be moved about without what it borrows from.
    fn call(
        self: Arc<Self>,
        input: TaskInput,
        metadata: TaskMetadata,
    ) -> BoxFuture<'static, Result<Vec<u8>, AttemptError>>;

    /// Decodes a message without running anything. Returns what is wrong with it, if anything is.
    fn check(&self, push: &Push) -> Result<(), String> {
        let _ = push;
        Ok(())
    }

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

/// Puts something around the handler of the task with this name.
#[cfg(feature = "testing")]
type Surround = dyn Fn(&'static str, Arc<dyn Handler>) -> Arc<dyn Handler> + Send + Sync;

/// A state that stands around each handler: a simulation sees what runs, and interrupts it.
#[cfg(feature = "testing")]
pub(crate) struct Around(pub Box<Surround>);

#[cfg(feature = "testing")]
impl BoundTask {
    /// The task with this name, with what stands around its handler.
    pub fn observed(self, name: &'static str, states: &States) -> Self {
        match states.get::<Around>() {
            Some(around) => Self {
                handler: (around.0)(name, self.handler),
                state: self.state,
            },
            None => self,
        }
    }
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
    /// The idempotency store failed, and nothing ran.
    Store(BoxError),
    /// The task was cancelled, because its claim in the idempotency store could not be renewed.
    Unrenewed(BoxError),
    /// The service turned the delivery away, for this reason. Nothing ran.
    TurnedAway(TurnedAway),
    /// The task was cancelled, because its caller hung up or the service stopped.
    Interrupted,
    /// The task failed in the last attempt that it allows itself, and was recorded and its hook has run.
    Dead(Box<AttemptError>),
    /// The same happened in an earlier delivery, and nothing ran in this one.
    AlreadyDead,
}

impl AttemptError {
    /// What the task did, in words that follow its name; without the [cause](Self::cause).
    pub fn text(&self) -> AttemptText<'_> {
        match self {
            Self::Decode(reason) => AttemptText::CannotRead(reason),
            Self::Task(TaskError::Failed(_)) => AttemptText::Failed,
            Self::Task(TaskError::Discard(_)) => AttemptText::Discarded,
            Self::Task(TaskError::RetryAfter(_)) => AttemptText::AskedForRetry,
            Self::Output(_) => AttemptText::CannotWrite,
            Self::Panicked(message) => AttemptText::Panicked(message),
            Self::TimedOut(timeout) => AttemptText::TimedOut(*timeout),
            Self::InProgress => AttemptText::InProgress,
            Self::Store(_) => AttemptText::StoreFailed,
            Self::Unrenewed(_) => AttemptText::ClaimLost,
            Self::TurnedAway(reason) => AttemptText::TurnedAway(*reason),
            Self::Interrupted => AttemptText::Interrupted,
            Self::Dead(failure) => failure.text(),
            Self::AlreadyDead => AttemptText::AlreadyDead,
        }
    }

    /// The error behind it, if there is one.
    pub fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Task(TaskError::Failed(error)) | Self::Store(error) | Self::Unrenewed(error) => {
                Some(&**error)
            }
            Self::Task(TaskError::Discard(discard)) => Some(discard),
            Self::Task(TaskError::RetryAfter(retry)) => Some(retry),
            Self::Output(error) => Some(error),
            Self::Decode(_)
            | Self::Panicked(_)
            | Self::TimedOut(_)
            | Self::InProgress
            | Self::TurnedAway(_)
            | Self::Interrupted
            | Self::AlreadyDead => None,
            Self::Dead(failure) => failure.cause(),
        }
    }
}
