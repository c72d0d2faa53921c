//! Running one attempt of a task, with its span, scope, deadline and panic handling.

use std::any::Any;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use cloud_tasks_rules::limits::DISPATCH_DEADLINE;
use tokio::time::Instant;
use tracing::Level;

use crate::base::text::{brief, error_chain};
use crate::base::{Envelope, Error, ErrorKind, TaskError, TaskMetadata, TurnedAway};
use crate::registry::schedule;
use crate::registry::{AttemptError, BoundTask, Handler, RegisteredHandler, TaskInput};
use crate::runtime::Runtime;
use crate::runtime::attempt_future::{AttemptFuture, Steps, TimedRun, is_listened_to};
use crate::runtime::attempt_limit::{AttemptLimits, LastAttempt};
use crate::runtime::last_attempt::{AttemptTime, Exhausted};
use crate::runtime::scope::Scope;

/// The dispatch deadline of Cloud Tasks for a task that sets none.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// The kind of an attempt, which decides whether it can be the last one.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Attempt {
    /// An attempt of the queue, whose request arrived at this instant. If it is the last one and fails, the task is dead.
    OfQueue(Instant),
    /// The same, but the task does not run, for this reason.
    TurnedAway(Instant, TurnedAway),
    /// An additional attempt. If it fails, the task is not dead. It neither claims the task nor looks whether it has run.
    Detached,
}

/// An attempt, without what it runs on.
pub(super) struct Run {
    pub runtime: Runtime,
    pub entry: Arc<RegisteredHandler>,
    pub handler: Arc<dyn Handler>,
    pub limits: AttemptLimits,
    pub time: AttemptTime,
    pub on: Attempt,
}

impl Runtime {
    /// Runs one attempt. Returns the JSON of its output, or its error.
    pub(crate) fn run(
        &self,
        entry: &Arc<RegisteredHandler>,
        bound: &BoundTask,
        input: TaskInput,
        metadata: TaskMetadata,
        on: Attempt,
    ) -> AttemptFuture {
        let limits = self.attempt_limits(entry, &metadata);
        let metadata = match limits.lower() {
            Some(limit) => metadata.with_max_attempts(limit),
            None => metadata,
        };
        let time = AttemptTime {
            since: on.since(),
            timeout: entry.timeout(&input, &metadata),
        };
        let span = is_listened_to(Level::INFO).then(|| {
            tracing::info_span!(
                "task",
                task = entry.registration.name,
                id = metadata.id(),
                attempt = metadata.attempt(),
                queue = metadata.queue(),
            )
        });
        // A claim of an additional attempt would keep the queue's attempts from running, for as long as somebody debugs it.
        let claims = entry.registration.idempotent && on != Attempt::Detached;
        let handler = Arc::clone(&bound.handler);
        if !claims && on.last(&limits, &input, &metadata, None).is_none() {
            // Before the scope shares it, so that it is not copied.
            let metadata = metadata.with_deadline(time.end());
            let scope = Scope::in_task(self, &metadata);
            let run = on.start(handler, input, metadata, time.end(), time.timeout);
            return AttemptFuture::new(Steps::plain(run), scope, span);
        }
        let scope = Scope::in_task(self, &metadata);
        let run = Run {
            runtime: self.clone(),
            entry: Arc::clone(entry),
            handler,
            limits,
            time,
            on,
        };
        // Boxed, so that all other attempts stay cheap.
        let steps = Steps::Guarded(Box::pin(async move { run.guarded(input, metadata).await }));
        AttemptFuture::new(steps, scope, span)
    }

    /// The task with this name.
    pub(crate) fn entry(&self, name: &str) -> Result<&Arc<RegisteredHandler>, Error> {
        let entry = self.inner.registry.by_name(name);
        entry.ok_or_else(|| {
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
            Attempt::of_queue(),
        )
        .await
        .map(|_| ())
        .map_err(|failure| failure.into_error(entry.registration.name))
    }
}

impl Attempt {
    /// An attempt of the queue that arrives now.
    pub fn of_queue() -> Self {
        Self::OfQueue(Instant::now())
    }

    fn since(self) -> Instant {
        match self {
            Self::OfQueue(since) | Self::TurnedAway(since, _) => since,
            Self::Detached => Instant::now(),
        }
    }

    /// Which limits this attempt reaches, if it is the last one.
    fn last(
        self,
        limits: &AttemptLimits,
        input: &TaskInput,
        metadata: &TaskMetadata,
        run: Option<u32>,
    ) -> Option<LastAttempt> {
        let can_be = self != Self::Detached && limits.are_known() && matches!(input, TaskInput::Body(_));
        can_be.then(|| limits.last(metadata.attempt(), run)).flatten()
    }

    /// Starts the task, unless this attempt is turned away.
    fn start(
        self,
        handler: Arc<dyn Handler>,
        input: TaskInput,
        metadata: TaskMetadata,
        deadline: Instant,
        limit: Duration,
    ) -> TimedRun {
        let run = match self {
            Self::OfQueue(_) | Self::Detached => handler.call(input, metadata),
            Self::TurnedAway(_, reason) => Box::pin(ready(Err(AttemptError::TurnedAway(reason)))),
        };
        TimedRun::new(run, deadline, limit)
    }
}

impl Run {
    /// Starts the task, which may run for so long from the arrival of its request.
    pub fn start(&self, input: TaskInput, metadata: TaskMetadata, limit: Duration) -> TimedRun {
        let deadline = self.time.since + limit;
        let metadata = metadata.with_deadline(deadline);
        self.on
            .start(Arc::clone(&self.handler), input, metadata, deadline, limit)
    }

    /// What is needed if this attempt is the last one and fails; `run` is the number of its run, if it is known.
    ///
    /// `None` for a message too: Pub/Sub gives it up itself.
    pub fn is_last(
        &self,
        input: &TaskInput,
        metadata: &TaskMetadata,
        run: Option<u32>,
    ) -> Option<Box<Exhausted>> {
        let TaskInput::Body(body) = input else {
            return None;
        };
        let last = self.on.last(&self.limits, input, metadata, run)?;
        let registration = &self.entry.registration;
        Some(Box::new(Exhausted {
            runtime: self.runtime.clone(),
            task: registration.name.into(),
            dead_letter_topic: self.runtime.dead_letter_topic(Some(registration)),
            handler: Some(Arc::clone(&self.handler)),
            body: body.clone(),
            metadata: metadata.clone(),
            last,
            time: self.time,
        }))
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

    /// The timeout of one attempt.
    fn timeout(&self, input: &TaskInput, metadata: &TaskMetadata) -> Duration {
        match input {
            TaskInput::Push(_) => self.push_timeout(),
            TaskInput::Body(_) => self.task_timeout(metadata),
        }
    }

    /// The timeout of a push: that of the subscriber, at most the deadline of the subscription, after which Pub/Sub
    /// delivers again.
    pub fn push_timeout(&self) -> Duration {
        let timeout = self.registration.timeout;
        match self.registration.subscriber_options() {
            Some(options) => {
                let deadline = options.push_deadline();
                timeout.unwrap_or(deadline).min(deadline)
            }
            None => timeout.unwrap_or(DEFAULT_TIMEOUT),
        }
    }

    /// The timeout of a task: that of the call, otherwise that of the task, otherwise the service's default.
    pub fn task_timeout(&self, metadata: &TaskMetadata) -> Duration {
        metadata
            .timeout()
            .or_else(|| self.deadline_of_schedule(metadata))
            .or(self.registration.timeout)
            .unwrap_or(DEFAULT_TIMEOUT)
            .min(DISPATCH_DEADLINE.max)
    }
}

impl AttemptError {
    /// An effect that another delivery has claimed is not a failure of the task.
    pub fn or_busy(self) -> Self {
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
        let error = |kind| Error::new(kind, message.clone());
        match self {
            Self::Decode(_) => error(ErrorKind::Decode),
            Self::Task(error) => Error::from_task(name, error),
            Self::Output(cause) => error(ErrorKind::TaskFailed).with_source(cause),
            Self::Panicked(_) => error(ErrorKind::TaskPanicked),
            Self::TimedOut(_) => error(ErrorKind::TaskTimedOut),
            Self::InProgress => error(ErrorKind::InProgress),
            Self::Store(cause) => error(ErrorKind::IdempotencyStore).with_source(cause),
            Self::Unrenewed(cause) => Error::unavailable(message).with_source(cause),
            Self::TurnedAway(_) | Self::Interrupted | Self::AlreadyDead => error(ErrorKind::TaskFailed),
            Self::Dead(failure) => failure.into_error(name),
        }
    }
}

/// Logs the outcome of the attempt, inside its span. The time of the start is needed only if [somebody listens](start_time).
pub(super) fn report(outcome: &Result<Vec<u8>, AttemptError>, started: Option<Instant>) {
    match outcome {
        Ok(_) => {
            if let Some(started) = started {
                tracing::debug!(duration = ?started.elapsed(), "executed");
            }
        }
        Err(AttemptError::Decode(reason)) => {
            tracing::error!(reason = %brief(reason), "the body does not decode");
        }
        Err(AttemptError::Task(TaskError::Discard(discard))) => {
            tracing::info!(reason = %brief(discard.reason()), "discarded");
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
        Err(AttemptError::Panicked(message)) => tracing::error!(message = %brief(message), "panicked"),
        Err(AttemptError::TimedOut(timeout)) => tracing::error!(?timeout, "cancelled at its deadline"),
        Err(AttemptError::InProgress) => tracing::info!("under way in another delivery"),
        Err(AttemptError::Store(error)) => {
            tracing::error!(error = %error_chain(&**error), "the idempotency store failed; nothing ran");
        }
        // The cause is logged where the claim is lost.
        Err(AttemptError::Unrenewed(_)) => tracing::error!("cancelled, because its claim was not renewed"),
        Err(AttemptError::TurnedAway(reason)) => tracing::warn!(%reason, "turned away"),
        Err(AttemptError::AlreadyDead) => {
            tracing::info!("dead since an earlier delivery; this delivery does nothing");
        }
        // Logged by the code that handles the last attempt.
        Err(AttemptError::Dead(_) | AttemptError::Interrupted) => {}
    }
}

/// The time, if somebody listens to how long an attempt takes.
pub(super) fn start_time() -> Option<Instant> {
    is_listened_to(Level::DEBUG).then(Instant::now)
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
