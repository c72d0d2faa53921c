//! Running one attempt of a task: its span, its scope, its deadline, its panics.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;
use tracing::Instrument;

use crate::base::text::safe;
use crate::base::{Envelope, Error, ErrorKind, TaskError, TaskMetadata, limits};
use crate::registry::schedule;
use crate::registry::{AttemptError, BoundTask, RegisteredHandler, TaskInput};
use crate::runtime::Runtime;
use crate::runtime::idempotency::{self, Guard};
use crate::runtime::last_attempt::Exhausted;
use crate::runtime::scope::Scope;

/// Whose attempt it is, which says whether it can be the last one.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Attempt {
    /// One of those of the queue. If it is the last one and fails, the task is dead.
    OfQueue,
    /// One besides those of the queue. If it fails, that is not the end of the task.
    Detached,
}

impl Runtime {
    /// Runs one attempt: the JSON of its output, or why there is none.
    pub(crate) async fn run(
        &self,
        entry: &RegisteredHandler,
        bound: &BoundTask,
        input: TaskInput,
        metadata: TaskMetadata,
        on: Attempt,
    ) -> Result<Vec<u8>, AttemptError> {
        let limit = self.attempt_limit(entry, &metadata);
        let metadata = match limit {
            Some(limit) => metadata.with_max_attempts(limit.attempts),
            None => metadata,
        };
        let timeout = entry.timeout(&metadata);
        let guard = self.guard(entry, &input, &metadata);
        let burial = limit.filter(|_| on == Attempt::OfQueue).and_then(|limit| {
            let registration = &entry.registration;
            Exhausted::prepare(self, registration, bound, &input, &metadata, limit.own, timeout)
        });
        let timeout = burial.as_ref().map_or(timeout, |burial| burial.time_to_run());
        let deadline = Instant::now() + timeout;
        let metadata = metadata.with_deadline(deadline);
        let span = tracing::info_span!(
            "task",
            task = entry.registration.name,
            id = metadata.id(),
            attempt = metadata.attempt(),
            queue = metadata.queue(),
        );
        let scope = Scope::with_headers(self, metadata.headers());
        let attempt = async {
            let run = AssertUnwindSafe(bound.handler.call(input, metadata)).catch_unwind();
            match tokio::time::timeout_at(deadline, run).await {
                Ok(Ok(outcome)) => outcome.map_err(AttemptError::or_busy),
                Ok(Err(panic)) => Err(AttemptError::Panicked(panic_message(&*panic))),
                Err(_) => Err(AttemptError::TimedOut(timeout)),
            }
        };
        let attempt = async {
            let outcome = match guard {
                None => attempt.await,
                // Boxed, so that those which are not guarded do not pay for it.
                Some(guard) => Box::pin(guard.run(deadline, attempt)).await,
            };
            report(&outcome);
            match (outcome, burial) {
                (Err(failure), Some(burial)) => Err(burial.after(failure).await),
                (outcome, _) => outcome,
            }
        };
        scope.run(attempt).instrument(span).await
    }

    /// What keeps an idempotent task from running again, where there is a store and something to know the task by.
    fn guard(&self, entry: &RegisteredHandler, input: &TaskInput, metadata: &TaskMetadata) -> Option<Guard> {
        if !entry.registration.idempotent {
            return None;
        }
        let store = self.inner.idempotency.clone()?;
        let key = idempotency::key(entry, input, metadata);
        if key.is_none() {
            tracing::warn!(
                task = entry.registration.name,
                "an idempotent task came without an id to know it by, and runs whether it ran before or not"
            );
        }
        Some(Guard { store, key: key? })
    }

    /// The task that goes by this name.
    pub(crate) fn entry(&self, name: &str) -> Result<&RegisteredHandler, Error> {
        let entry = self.inner.registry.by_name(name);
        entry.map(|entry| &**entry).ok_or_else(|| {
            Error::new(
                ErrorKind::UnknownTask,
                format!("this runtime has no task {name:?}"),
            )
        })
    }

    /// Runs an envelope in this process, as if a queue had sent it with these metadata.
    pub(crate) async fn run_attempt(&self, envelope: &Envelope, metadata: TaskMetadata) -> Result<(), Error> {
        let name = envelope.task();
        let entry = self.entry(name)?;
        let bound = entry.bound(name)?;
        self.run(
            entry,
            bound,
            TaskInput::Body(envelope.body.clone()),
            metadata,
            Attempt::OfQueue,
        )
        .await
        .map(|_| ())
        .map_err(|failure| failure.into_error(entry.registration.name))
    }
}

impl RegisteredHandler {
    /// The task and its state, or an error that names the states that are missing.
    pub(crate) fn bound(&self, name: &str) -> Result<&BoundTask, Error> {
        self.bound.as_ref().map_err(|missing| {
            Error::new(
                ErrorKind::MissingState,
                format!(
                    "task {name} needs the state {}, which this runtime was not given: add `.state(..)`",
                    missing.join(", ")
                ),
            )
        })
    }

    /// When Cloud Scheduler gives an attempt up, where it made this one.
    fn deadline_of_schedule(&self, metadata: &TaskMetadata) -> Option<Duration> {
        let options = self.registration.periodic?.options;
        metadata.is_scheduled().then(|| {
            options
                .attempt_deadline
                .or(self.registration.timeout)
                .unwrap_or(schedule::DEFAULT_DEADLINE)
        })
    }

    /// How long one attempt may take: as the call said, else as the task says, else the service's default.
    pub(crate) fn timeout(&self, metadata: &TaskMetadata) -> Duration {
        metadata
            .timeout()
            .or_else(|| self.deadline_of_schedule(metadata))
            .or(self.registration.timeout)
            .or_else(|| {
                self.registration
                    .subscriber_options()
                    .and_then(|options| options.ack_deadline)
            })
            .unwrap_or(limits::DEFAULT_TIMEOUT)
            .min(limits::MAX_TIMEOUT)
    }
}

impl AttemptError {
    /// An effect that another delivery has claimed is no failure of the task.
    fn or_busy(self) -> Self {
        match &self {
            Self::Task(TaskError::Failed(error))
                if error.downcast_ref::<Error>().is_some_and(Error::is_under_way) =>
            {
                Self::InProgress
            }
            _ => self,
        }
    }

    pub(crate) fn into_error(self, name: &str) -> Error {
        match self {
            Self::Decode(mistake) => Error::new(
                ErrorKind::Decode,
                format!("the arguments of task {name} do not decode: {mistake}"),
            ),
            Self::Task(error) => Error::from_task(name, error),
            Self::Output(error) => Error::new(
                ErrorKind::TaskFailed,
                format!("the output of task {name} does not serialize"),
            )
            .with_source(error),
            Self::Panicked(message) => Error::new(
                ErrorKind::TaskPanicked,
                format!("task {name} panicked: {message}"),
            ),
            Self::TimedOut(timeout) => Error::new(
                ErrorKind::TaskTimedOut,
                format!("task {name} did not finish within {timeout:?} and was cancelled"),
            ),
            Self::InProgress => Error::new(
                ErrorKind::InProgress,
                format!("task {name}, or an effect of it, is under way in another delivery"),
            ),
            Self::Store(error) => Error::new(
                ErrorKind::IdempotencyStore,
                format!("task {name} did not run: the idempotency store did not say whether it ran before"),
            )
            .with_source(error),
            Self::Dead(failure) => failure.into_error(name),
        }
    }
}

/// Says how the attempt ended, within its span.
fn report(outcome: &Result<Vec<u8>, AttemptError>) {
    match outcome {
        Ok(_) => tracing::debug!("executed"),
        Err(AttemptError::Decode(mistake)) => {
            tracing::error!(mistake = %safe(mistake), "the body does not decode");
        }
        Err(AttemptError::Task(TaskError::Discard(discard))) => {
            tracing::info!(reason = %safe(discard.reason()), "discarded");
        }
        Err(AttemptError::Task(TaskError::RetryAfter(retry))) => {
            tracing::info!(delay = ?retry.delay(), "asked to be retried");
        }
        Err(AttemptError::Task(TaskError::Failed(error))) => {
            tracing::error!(error = %chain(&**error), "failed");
        }
        Err(AttemptError::Output(error)) => {
            tracing::error!(error = %chain(error), "the output does not serialize");
        }
        Err(AttemptError::Panicked(message)) => tracing::error!(message = %safe(message), "panicked"),
        Err(AttemptError::TimedOut(timeout)) => tracing::error!(?timeout, "cancelled at its deadline"),
        Err(AttemptError::InProgress) => tracing::info!("under way in another delivery"),
        Err(AttemptError::Store(error)) => {
            tracing::error!(error = %chain(&**error), "the idempotency store gave no answer; nothing ran");
        }
        // Told where it is buried.
        Err(AttemptError::Dead(_)) => {}
    }
}

/// An error with its causes on one line, made safe to show.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    safe(&text).into_owned()
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
