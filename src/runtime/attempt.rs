//! Running one attempt of a task, with its span, scope, deadline and panic handling.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;
use tracing::Instrument;

use crate::base::text::{error_chain, safe};
use crate::base::{Envelope, Error, ErrorKind, TaskError, TaskMetadata, limits};
use crate::registry::schedule;
use crate::registry::{AttemptError, BoundTask, RegisteredHandler, TaskInput};
use crate::runtime::Runtime;
use crate::runtime::idempotency::{Guard, IdempotencyKey};
use crate::runtime::last_attempt::Exhausted;
use crate::runtime::scope::Scope;

/// The kind of an attempt, which decides whether it can be the last one.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Attempt {
    /// An attempt of the queue. If it is the last one and fails, the task is dead.
    OfQueue,
    /// An additional attempt. If it fails, the task is not dead. It neither claims the task nor looks whether it has run.
    Detached,
}

impl Runtime {
    /// Runs one attempt. Returns the JSON of its output, or its error.
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
        let timeout = entry.timeout(&input, &metadata);
        // A claim of an additional attempt would keep the queue's attempts from running, for as long as somebody debugs it.
        let guard = match on {
            Attempt::OfQueue => self.guard(entry, &input, &metadata),
            Attempt::Detached => None,
        };
        let burial = limit.filter(|_| on == Attempt::OfQueue).and_then(|limit| {
            let registration = &entry.registration;
            Exhausted::prepare(self, registration, bound, &input, &metadata, limit.own, timeout)
        });
        let timeout = burial.as_ref().map_or(timeout, |burial| burial.time_to_run());
        let started = Instant::now();
        let deadline = started + timeout;
        let metadata = metadata.with_deadline(deadline);
        let span = tracing::info_span!(
            "task",
            task = entry.registration.name,
            id = metadata.id(),
            attempt = metadata.attempt(),
            queue = metadata.queue(),
        );
        let scope = Scope::with_headers(self, metadata.headers()).in_task(&metadata);
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
                // Boxed, so that attempts without a guard stay cheap.
                Some(guard) => Box::pin(guard.run(deadline, attempt)).await,
            };
            report(&outcome, started.elapsed());
            match (outcome, burial) {
                (Err(failure), Some(burial)) => Err(burial.after(failure).await),
                (outcome, _) => outcome,
            }
        };
        scope.run(attempt).instrument(span).await
    }

    /// The guard of an idempotent task, if there is a store and the delivery has a key.
    fn guard(&self, entry: &RegisteredHandler, input: &TaskInput, metadata: &TaskMetadata) -> Option<Guard> {
        if !entry.registration.idempotent {
            return None;
        }
        let store = self.inner.idempotency.clone()?;
        let key = IdempotencyKey::of_delivery(&self.inner.config, entry, input, metadata);
        if key.is_none() {
            tracing::warn!(
                task = entry.registration.name,
                "an idempotent task has no id, so it runs even if it has run before"
            );
        }
        Some(Guard { store, key: key? })
    }

    /// The task with this name.
    pub(crate) fn entry(&self, name: &str) -> Result<&RegisteredHandler, Error> {
        let entry = self.inner.registry.by_name(name);
        entry.map(|entry| &**entry).ok_or_else(|| {
            Error::new(
                ErrorKind::UnknownTask,
                format!("this runtime has no task {name:?}"),
            )
        })
    }

    /// Runs an envelope in this process, as an attempt of a queue with this metadata.
    pub(crate) async fn run_attempt(&self, envelope: &Envelope, metadata: TaskMetadata) -> Result<(), Error> {
        let name = envelope.task();
        if envelope.service().is_some() || self.only_enqueues() {
            tracing::info!(
                task = name,
                url = envelope.url(),
                "not run: it is a task of another service"
            );
            return Ok(());
        }
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
    /// The task with its state, or an error that lists the missing states.
    pub fn bound(&self, name: &str) -> Result<&BoundTask, Error> {
        self.bound.as_ref().map_err(|missing| {
            if let Some(service) = self.registration.service {
                let message = format!("task {name} does not run here: it is a task of the service {service}");
                return Error::new(ErrorKind::UnknownTask, message);
            }
            Error::new(
                ErrorKind::MissingState,
                format!(
                    "task {name} needs the state {}, which this runtime does not have: add `.state(..)`",
                    missing.join(", ")
                ),
            )
        })
    }

    /// The deadline of Cloud Scheduler, if it made this attempt.
    fn deadline_of_schedule(&self, metadata: &TaskMetadata) -> Option<Duration> {
        let periodic = self.registration.periodic?;
        metadata.is_scheduled().then(|| {
            periodic
                .attempt_deadline()
                .or(self.registration.timeout)
                .unwrap_or(schedule::DEFAULT_DEADLINE)
        })
    }

    /// The timeout of one attempt. For a push: that of the subscriber, at most the deadline of the subscription, after
    /// which Pub/Sub delivers again. For a task: that of the call, otherwise that of the task, otherwise the service's
    /// default.
    pub fn timeout(&self, input: &TaskInput, metadata: &TaskMetadata) -> Duration {
        if let (TaskInput::Push(_), Some(options)) = (input, self.registration.subscriber_options()) {
            let deadline = options.push_deadline();
            return self.registration.timeout.unwrap_or(deadline).min(deadline);
        }
        metadata
            .timeout()
            .or_else(|| self.deadline_of_schedule(metadata))
            .or(self.registration.timeout)
            .unwrap_or(limits::DEFAULT_TIMEOUT)
            .min(limits::MAX_TIMEOUT)
    }
}

impl AttemptError {
    /// An effect that another delivery has claimed is not a failure of the task.
    fn or_busy(self) -> Self {
        match &self {
            Self::Task(TaskError::Failed(error))
                if error.downcast_ref::<Error>().is_some_and(Error::is_in_progress) =>
            {
                Self::InProgress
            }
            _ => self,
        }
    }

    pub fn into_error(self, name: &str) -> Error {
        let message = format!("task {name} {}", self.text());
        let error = |kind| Error::new(kind, message);
        match self {
            Self::Decode(_) => error(ErrorKind::Decode),
            Self::Task(error) => Error::from_task(name, error),
            Self::Output(cause) => error(ErrorKind::TaskFailed).with_source(cause),
            Self::Panicked(_) => error(ErrorKind::TaskPanicked),
            Self::TimedOut(_) => error(ErrorKind::TaskTimedOut),
            Self::InProgress => error(ErrorKind::InProgress),
            Self::Store(cause) => error(ErrorKind::IdempotencyStore).with_source(cause),
            Self::Dead(failure) => failure.into_error(name),
        }
    }
}

/// Logs the outcome of the attempt, inside its span.
fn report(outcome: &Result<Vec<u8>, AttemptError>, duration: Duration) {
    match outcome {
        Ok(_) => tracing::debug!(?duration, "executed"),
        Err(AttemptError::Decode(reason)) => {
            tracing::error!(reason = %safe(reason), "the body does not decode");
        }
        Err(AttemptError::Task(TaskError::Discard(discard))) => {
            tracing::info!(reason = %safe(discard.reason()), "discarded");
        }
        Err(AttemptError::Task(TaskError::RetryAfter(retry))) => {
            tracing::info!(delay = ?retry.delay(), "asked to be retried");
        }
        Err(AttemptError::Task(TaskError::Failed(error))) => {
            tracing::error!(error = %error_chain(&**error), "failed");
        }
        Err(AttemptError::Output(error)) => {
            tracing::error!(error = %error_chain(error), "the output does not serialize");
        }
        Err(AttemptError::Panicked(message)) => tracing::error!(message = %safe(message), "panicked"),
        Err(AttemptError::TimedOut(timeout)) => tracing::error!(?timeout, "cancelled at its deadline"),
        Err(AttemptError::InProgress) => tracing::info!("under way in another delivery"),
        Err(AttemptError::Store(error)) => {
            tracing::error!(error = %error_chain(&**error), "the idempotency store failed; nothing ran");
        }
        // Logged by the code that handles the last attempt.
        Err(AttemptError::Dead(_)) => {}
    }
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
