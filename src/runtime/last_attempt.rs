//! What is done when the last attempt of a task has failed: it is recorded, and its hook runs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tracing::{Instrument, Span};

use crate::base::text::safe;
use crate::base::{Attributes, Dead, DeadCause, Error, Publication, TaskError, TaskMetadata, dead_record};
use crate::registry::{AttemptError, BoundTask, Handler, Registration, TaskInput};
use crate::runtime::Runtime;
use crate::runtime::attempt::{chain, panic_message};
use crate::runtime::scope::Scope;

/// All that is needed should this last attempt fail.
pub(crate) struct Exhausted {
    pub runtime: Runtime,
    registration: Registration,
    handler: Arc<dyn Handler>,
    body: Bytes,
    metadata: TaskMetadata,
    /// Whether the task's own limit ends it: then it is our answer that stops Cloud Tasks.
    own: bool,
    timeout: Duration,
}

impl Exhausted {
    /// `None` where this is not the last attempt of a task, as far as we know, or where a message was pushed.
    pub(crate) fn prepare(
        runtime: &Runtime,
        registration: &Registration,
        bound: &BoundTask,
        input: &TaskInput,
        metadata: &TaskMetadata,
        own: bool,
        timeout: Duration,
    ) -> Option<Box<Self>> {
        let TaskInput::Body(body) = input else {
            return None;
        };
        metadata.is_last_attempt().then(|| {
            Box::new(Self {
                runtime: runtime.clone(),
                registration: *registration,
                handler: Arc::clone(&bound.handler),
                body: body.clone(),
                metadata: metadata.clone(),
                own,
                timeout,
            })
        })
    }

    /// How long the attempt itself may take: where our answer has to arrive, a tenth is left for what comes after it.
    pub(crate) fn time_to_run(&self) -> Duration {
        if self.own {
            self.timeout.mul_f64(0.9)
        } else {
            self.timeout
        }
    }

    /// Buries the task, and gives back the failure that is answered.
    pub(crate) async fn after(self: Box<Self>, failure: AttemptError) -> AttemptError {
        let Some(dead) = self.dead(&failure) else {
            return failure;
        };
        let (own, timeout) = (self.own, self.timeout);
        // Who waits for the answer may go away at its deadline, and this must be done all the same.
        let work = tokio::time::timeout(timeout, self.bury(dead));
        let work = Scope::current().map(|scope| scope.run(work.instrument(Span::current())));
        let done = match work {
            Ok(work) => match tokio::spawn(work).await {
                Ok(Ok(done)) => done,
                Ok(Err(_)) => Err(AttemptError::TimedOut(timeout)),
                Err(error) => Err(AttemptError::Panicked(match error.try_into_panic() {
                    Ok(panic) => panic_message(&*panic),
                    Err(cancelled) => cancelled.to_string(),
                })),
            },
            Err(error) => Err(failed(error)),
        };
        match done {
            Ok(()) if own => AttemptError::Dead(Box::new(failure)),
            Ok(()) => failure,
            Err(unburied) => {
                tracing::error!(reason = %safe(&text(&unburied).1), again = own, "dead, and what is to be done then failed");
                if own { unburied } else { failure }
            }
        }
    }

    /// What the failure means for the task; `None` where it is done, and not dead.
    fn dead(&self, failure: &AttemptError) -> Option<Dead> {
        match failure {
            // Whoever works on it says how it ends.
            AttemptError::Task(TaskError::Discard(_)) | AttemptError::Dead(_) | AttemptError::InProgress => {
                return None;
            }
            // Nothing ran, and Cloud Tasks tries again.
            AttemptError::Store(_) if self.own => return None,
            _ => {}
        }
        let (cause, error) = text(failure);
        Some(Dead::new(cause, error, &self.metadata))
    }

    async fn bury(self: Box<Self>, dead: Dead) -> Result<(), AttemptError> {
        let topic = self.record(&dead).await.map_err(failed)?;
        let (attempts, cause) = (dead.attempts(), dead.cause());
        // Without arguments there is no task to call.
        if cause != DeadCause::Undecodable {
            let hook = self
                .handler
                .on_dead(self.body.clone(), dead, self.metadata.clone());
            match hook.await {
                Err(TaskError::Discard(discard)) => {
                    tracing::info!(reason = %safe(discard.reason()), "its hook discarded it");
                }
                hook => hook.map_err(AttemptError::Task)?,
            }
        }
        tracing::error!(attempts, ?cause, topic, "dead");
        Ok(())
    }

    /// Publishes the record to the dead-letter topic, where there is one, and says which.
    async fn record(&self, dead: &Dead) -> Result<Option<String>, Error> {
        let Some(topic) = self.runtime.dead_letter_topic(&self.registration) else {
            return Ok(None);
        };
        let task = self.registration.name;
        let data = dead_record::encode(
            task,
            dead,
            &self.body,
            self.metadata.headers(),
            self.runtime.now(),
        );
        let attributes = [("task", Some(task)), ("queue", dead.queue()), ("id", dead.id())];
        let publication = Publication {
            topic: topic.clone().into(),
            data: data.into(),
            attributes: attributes
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
                .collect::<Attributes>(),
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

/// How an attempt ended, and what is said of it.
fn text(failure: &AttemptError) -> (DeadCause, String) {
    match failure {
        AttemptError::Decode(mistake) => (
            DeadCause::Undecodable,
            format!("its arguments do not decode: {mistake}"),
        ),
        AttemptError::Task(TaskError::Failed(error)) => (DeadCause::Failed, chain(&**error)),
        AttemptError::Task(error) => (DeadCause::Failed, error.to_string()),
        AttemptError::Output(error) => (
            DeadCause::Failed,
            format!("its output does not serialize: {error}"),
        ),
        AttemptError::Panicked(message) => (DeadCause::Panicked, format!("it panicked: {message}")),
        AttemptError::TimedOut(timeout) => (
            DeadCause::TimedOut,
            format!("it did not finish within {timeout:?}"),
        ),
        AttemptError::InProgress => (DeadCause::Failed, "another delivery works on it".to_owned()),
        AttemptError::Store(error) => (
            DeadCause::Failed,
            format!(
                "it did not run, since the idempotency store gave no answer: {}",
                chain(&**error)
            ),
        ),
        AttemptError::Dead(failure) => text(failure),
    }
}

impl Runtime {
    /// Where the dead tasks of this kind are recorded to.
    fn dead_letter_topic(&self, registration: &Registration) -> Option<String> {
        let own = registration.dead_letter_topic.map(|topic| topic());
        let topic = own.or_else(|| self.inner.dead_letter_topic.clone())?;
        Some(topic.into_name(self.config()).into_owned())
    }
}
