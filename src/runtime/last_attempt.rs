//! The steps after the last attempt of a task: it is recorded, and its hook runs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tracing::{Instrument, Span};

use crate::base::text::{error_chain, safe};
use crate::base::{Attributes, Dead, DeadCause, Error, Publication, TaskError, TaskMetadata, dead_record};
use crate::registry::{AttemptError, BoundTask, Declared, Handler, TaskInput};
use crate::runtime::Runtime;
use crate::runtime::attempt::panic_message;
use crate::runtime::scope::Scope;

/// What is needed if this last attempt fails.
pub(crate) struct Exhausted {
    pub runtime: Runtime,
    registration: Declared,
    handler: Arc<dyn Handler>,
    body: Bytes,
    metadata: TaskMetadata,
    /// Whether the task's own limit ends it: then only our response stops Cloud Tasks.
    own: bool,
    timeout: Duration,
}

impl Exhausted {
    /// `None` if this is not known to be the last attempt of a task, or if a message was pushed.
    pub fn prepare(
        runtime: &Runtime,
        registration: &Declared,
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

    /// The timeout of the attempt itself. If our response must arrive, a tenth is left for the steps after it.
    pub fn time_to_run(&self) -> Duration {
        if self.own {
            self.timeout.mul_f64(0.9)
        } else {
            self.timeout
        }
    }

    /// Records the task, runs its hook, and returns the failure for the response.
    pub async fn after(self: Box<Self>, failure: AttemptError) -> AttemptError {
        let Some(dead) = self.dead(&failure) else {
            return failure;
        };
        let (own, timeout) = (self.own, self.timeout);
        // The caller may disconnect at its deadline, and this must be done nevertheless.
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
                tracing::error!(reason = %safe(&text(&unburied)), again = own, "dead, but recording it or its hook failed");
                if own { unburied } else { failure }
            }
        }
    }

    /// Why the task is dead; `None` if it is done instead.
    fn dead(&self, failure: &AttemptError) -> Option<Dead> {
        match failure {
            // The delivery that has claimed it decides how it ends.
            AttemptError::Task(TaskError::Discard(_)) | AttemptError::Dead(_) | AttemptError::InProgress => {
                return None;
            }
            // Nothing ran, and Cloud Tasks retries.
            AttemptError::Store(_) if self.own => return None,
            _ => {}
        }
        Some(Dead::new(cause(failure), &text(failure), &self.metadata))
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

    /// Publishes the record to the dead-letter topic, if there is one, and returns the topic.
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

/// The cause of a failure.
fn cause(failure: &AttemptError) -> DeadCause {
    match failure {
        AttemptError::Decode(_) => DeadCause::Undecodable,
        AttemptError::Panicked(_) => DeadCause::Panicked,
        AttemptError::TimedOut(_) => DeadCause::TimedOut,
        AttemptError::Dead(failure) => cause(failure),
        AttemptError::Task(_)
        | AttemptError::Output(_)
        | AttemptError::InProgress
        | AttemptError::Store(_) => DeadCause::Failed,
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
    /// The topic for dead tasks of this kind.
    fn dead_letter_topic(&self, registration: &Declared) -> Option<String> {
        let own = registration.dead_letter_topic.map(|topic| topic());
        let topic = own.or_else(|| self.inner.dead_letter_topic.clone())?;
        Some(topic.into_name(self.config()).into_owned())
    }
}
