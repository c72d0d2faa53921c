//! The steps after the last attempt of a task: it is recorded, and its hook runs.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloud_tasks_rules::limits::DISPATCH_DEADLINE;
use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{Instrument, Span};

use crate::base::text::{error_chain, safe};
use crate::base::{
    Attributes, Dead, DeadCause, Error, Publication, TaskError, TaskMetadata, TurnedAway, dead_record, names,
};
use crate::registry::{AttemptError, Declared, Handler};
use crate::runtime::Runtime;
use crate::runtime::attempt::panic_message;
use crate::runtime::attempt_limit::LastAttempt;
use crate::runtime::idempotency::Held;
use crate::runtime::scope::{Scope, awaited};

/// The part of its time that the last attempt has. The rest is for the record, the hook and the response: Cloud Tasks hangs
/// up at the end of the time.
const TO_RUN: f64 = 0.9;
/// The part of its time after which the response is sent, whether the record and the hook are done or not.
const TO_RESPOND: f64 = 0.95;

/// The times of an attempt, from the arrival of its request to the moment at which the caller hangs up.
#[derive(Clone, Copy)]
pub(crate) struct AttemptTime {
    pub since: Instant,
    pub timeout: Duration,
}

impl AttemptTime {
    /// When the caller hangs up.
    pub fn end(&self) -> Instant {
        self.since + self.timeout
    }

    /// How long the last attempt may run.
    pub fn running_time(&self) -> Duration {
        self.timeout.mul_f64(TO_RUN)
    }

    fn respond_by(&self) -> Instant {
        self.since + self.timeout.mul_f64(TO_RESPOND)
    }
}

/// What is needed if this last attempt fails.
pub(crate) struct Exhausted {
    pub runtime: Runtime,
    pub task: Cow<'static, str>,
    pub dead_letter_topic: Option<String>,
    /// `None` if there is no such task.
    pub handler: Option<Arc<dyn Handler>>,
    pub body: Bytes,
    pub metadata: TaskMetadata,
    pub last: LastAttempt,
    pub time: AttemptTime,
}

impl Exhausted {
    /// Records the task, runs its hook, and returns the failure for the response. This ends the claim of the attempt too.
    ///
    /// The response does not wait for a record or a hook that take too long: they go on, and the next delivery finds that
    /// the task is dead.
    pub async fn after(self: Box<Self>, failure: AttemptError, held: Option<Held>) -> AttemptError {
        if !self.is_death(&failure) {
            if let Some(held) = held {
                held.release().await;
            }
            return failure;
        }
        let (last, respond_by) = (self.last, self.time.respond_by());
        let Some(burial) = self.spawn(&failure, held) else {
            return failure;
        };
        match timeout_at(respond_by, burial).await {
            Ok(Ok(Ok(()))) if last.by_own_limit => AttemptError::Dead(Box::new(failure)),
            Ok(Ok(Err(unburied))) if last.by_own_limit => unburied,
            Ok(_) => failure,
            Err(_) => {
                tracing::warn!("its record or its hook takes longer than the caller waits, and goes on");
                failure
            }
        }
    }

    /// Records the task and runs its hook after its attempt was cancelled, if the queue does not deliver it again.
    pub fn interrupted(self: Box<Self>, held: Option<Held>) {
        if self.last.by_queue {
            self.spawn(&AttemptError::Interrupted, held);
        }
    }

    /// Whether the task is dead with this failure, and not done, or delivered again.
    fn is_death(&self, failure: &AttemptError) -> bool {
        match failure {
            AttemptError::Task(TaskError::Discard(_)) | AttemptError::Dead(_) | AttemptError::AlreadyDead => {
                false
            }
            // The next delivery decides, if there is one.
            AttemptError::InProgress
            | AttemptError::Store(_)
            | AttemptError::Unrenewed(_)
            | AttemptError::TurnedAway(_)
            | AttemptError::Interrupted => self.last.by_queue,
            AttemptError::Decode(_)
            | AttemptError::Task(_)
            | AttemptError::Output(_)
            | AttemptError::Panicked(_)
            | AttemptError::TimedOut(_) => true,
        }
    }

    /// Spawned, because the caller may disconnect and this must be done nevertheless; a server that stops waits for it.
    fn spawn(
        self: Box<Self>,
        failure: &AttemptError,
        held: Option<Held>,
    ) -> Option<JoinHandle<Result<(), AttemptError>>> {
        let dead = Dead::new(cause(failure), &text(failure), &self.metadata);
        let scope = Scope::in_task(&self.runtime, &self.metadata);
        let own_work = self.runtime.inner.own_work.clone();
        let (limit, again) = (self.time.timeout, !self.last.by_queue);
        let work = async move {
            let buried = AssertUnwindSafe(timeout(limit, self.bury(dead)))
                .catch_unwind()
                .await;
            let buried = match buried {
                Ok(Ok(buried)) => buried,
                Ok(Err(_)) => Err(AttemptError::TimedOut(limit)),
                Err(panic) => Err(AttemptError::Panicked(panic_message(&*panic))),
            };
            match (&buried, held) {
                (Ok(()), Some(held)) => held.bury().await,
                (Err(_), Some(held)) => held.release().await,
                (_, None) => {}
            }
            if let Err(unburied) = &buried {
                tracing::error!(reason = %safe(&text(unburied)), again, "dead, but recording it or its hook failed");
            }
            buried
        };
        own_work.spawn(scope.run(awaited(work)).instrument(Span::current()))
    }

    async fn bury(self: Box<Self>, dead: Dead) -> Result<(), AttemptError> {
        let topic = self.record(&dead).await.map_err(failed)?;
        let (attempts, runs, cause) = (dead.attempts(), dead.runs(), dead.cause());
        // Without arguments there is no task to call.
        if cause != DeadCause::Undecodable
            && let Some(handler) = &self.handler
        {
            let hook = handler.on_dead(self.body.clone(), dead, self.metadata.clone());
            match hook.await {
                Err(TaskError::Discard(discard)) => {
                    tracing::info!(reason = %safe(discard.reason()), "its hook discarded it");
                }
                hook => hook.map_err(AttemptError::Task)?,
            }
        }
        tracing::error!(attempts, runs, ?cause, topic, "dead");
        Ok(())
    }

    /// Publishes the record to the dead-letter topic, if there is one, and returns the topic.
    async fn record(&self, dead: &Dead) -> Result<Option<&str>, Error> {
        let Some(topic) = self.dead_letter_topic.as_deref() else {
            return Ok(None);
        };
        let attributes = [
            ("task", Some(&*self.task)),
            ("queue", dead.queue()),
            ("id", dead.id()),
        ];
        let attributes: Attributes = attributes
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), dead_record::attribute(value?).to_owned())))
            .collect();
        let (headers, now) = (self.metadata.headers(), self.runtime.now());
        let publication = Publication {
            topic: topic.to_owned().into(),
            data: dead_record::encode(&self.task, dead, &self.body, headers, now).into(),
            attributes,
            ordering_key: None,
        };
        publication.check()?;
        self.runtime.send_message(publication).await?;
        Ok(Some(topic))
    }
}

fn failed(error: Error) -> AttemptError {
    AttemptError::Task(TaskError::Failed(error.into()))
}

/// The cause of a failure.
fn cause(failure: &AttemptError) -> DeadCause {
    match failure {
        AttemptError::Decode(_) => DeadCause::Undecodable,
        AttemptError::Panicked(_) => DeadCause::Panicked,
        AttemptError::TimedOut(_) => DeadCause::TimedOut,
        AttemptError::InProgress => DeadCause::InProgress,
        AttemptError::TurnedAway(_) => DeadCause::TurnedAway,
        AttemptError::Interrupted => DeadCause::Interrupted,
        AttemptError::Dead(failure) => cause(failure),
        AttemptError::Task(_)
        | AttemptError::Output(_)
        | AttemptError::Store(_)
        | AttemptError::Unrenewed(_)
        | AttemptError::AlreadyDead => DeadCause::Failed,
    }
}

/// The text of a failure, with its causes. A task's own error stands alone.
fn text(failure: &AttemptError) -> String {
    match (failure, failure.cause()) {
        (AttemptError::Task(_), Some(cause)) => error_chain(cause),
        (_, Some(cause)) => format!("it {}: {}", failure.text(), error_chain(cause)),
        (_, None) => format!("it {}", failure.text()),
    }
}

impl Runtime {
    /// Records a task that this runtime does not have, after the last delivery of its queue.
    pub(crate) async fn record_unknown(&self, name: &str, body: Bytes, metadata: TaskMetadata) {
        if names::validate_task_name(name).is_err() {
            return;
        }
        let last = Box::new(Exhausted {
            runtime: self.clone(),
            task: name.to_owned().into(),
            dead_letter_topic: self.dead_letter_topic(None),
            handler: None,
            body,
            last: LastAttempt {
                by_own_limit: false,
                by_queue: true,
            },
            time: AttemptTime {
                since: Instant::now(),
                timeout: metadata.timeout().unwrap_or(DISPATCH_DEADLINE.min),
            },
            metadata,
        });
        let span = tracing::info_span!("task", task = name, id = last.metadata.id());
        let recorded = last.after(AttemptError::TurnedAway(TurnedAway::UnknownTask), None);
        recorded.instrument(span).await;
    }

    /// The topic for dead tasks of this kind, or of a kind that is not known.
    pub(crate) fn dead_letter_topic(&self, registration: Option<&Declared>) -> Option<String> {
        let own = registration.and_then(|registration| registration.dead_letter_topic);
        let topic = own
            .map(|topic| topic())
            .or_else(|| self.inner.dead_letter_topic.clone())?;
        Some(topic.into_name(self.config()).into_owned())
    }
}
