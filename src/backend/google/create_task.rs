//! Creating a task, with retries until the outcome is certain.

use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::time::SystemTime;

use google_cloud_gax::error::Error as GoogleError;
use google_cloud_tasks_v2::client::CloudTasks;
use google_cloud_tasks_v2::model::Task;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::backend::google::access::{QueueAccess, SchedulerAccess};
use crate::backend::google::backup_queue::Backup;
use crate::backend::google::convert::TaskFactory;
use crate::backend::google::create_error::{self, Failed};
use crate::backend::google::error::{CallOutcome, Earlier};
use crate::backend::google::publish::{PubSub, engine};
use crate::backend::google::rest_client::RestClient;
use crate::backend::{Backend, BackendFuture, Services};
use crate::base::text::error_chain;
use crate::base::{Enqueued, Envelope, Error, Publication, RetrySettings, names};

/// Creates tasks in Google Cloud Tasks, or in an emulator of its API.
pub(crate) struct GoogleBackend {
    pub client: CloudTasks,
    pub target: TaskFactory,
    pub queues: QueueAccess,
    /// The client that reads tasks if Cloud Tasks is an emulator.
    pub emulator_client: Option<RestClient>,
    /// The engine of another process, whose Pub/Sub takes messages if there is no other one.
    pub engine_client: Option<RestClient>,
    /// `None` if Cloud Tasks is an emulator: there is no emulator of Cloud Scheduler.
    pub scheduler: Option<SchedulerAccess>,
    /// Limits the calls in flight, since the client opens a connection for each.
    pub calls: Semaphore,
    pub retry: RetrySettings,
    pub backup: Backup,
    /// `None` if only Cloud Tasks is an emulator: a laptop sends nothing to Google unless asked to.
    pub pubsub: Option<PubSub>,
}

/// The constant parts of all calls of one enqueue.
pub(super) struct CreateAttempt {
    started: Instant,
    repeats: bool,
    /// Whether the caller chose the id.
    given: bool,
    id: Option<String>,
}

impl GoogleBackend {
    /// Creates a task, in the backup queue if its own was deleted. Retries until the outcome is certain or the deadline
    /// has passed.
    pub async fn create(&self, envelope: Envelope) -> Result<Enqueued, Error> {
        let repeats = !self.retry.deadline.is_zero();
        let given = envelope.id.is_some();
        // Only a name prevents a retry from creating a second task.
        let id = envelope
            .id
            .clone()
            .or_else(|| repeats.then(names::random_task_id));
        let attempt = CreateAttempt {
            started: Instant::now(),
            repeats,
            given,
            id,
        };
        let failed = match self.create_in_queue(&envelope, &attempt).await {
            Ok(enqueued) => return Ok(enqueued),
            Err(failed) => failed,
        };
        match failed.missing_queue() {
            // Boxed, so that the future of the common case stays small.
            Some(missing_queue) => {
                Box::pin(self.create_in_backup(envelope, &attempt, failed, missing_queue)).await
            }
            None => Err(create_error::error(
                envelope.task(),
                envelope.queue(),
                &self.target,
                failed,
                None,
            )),
        }
    }

    /// Creates a task in the queue of the envelope.
    pub(super) async fn create_in_queue(
        &self,
        envelope: &Envelope,
        attempt: &CreateAttempt,
    ) -> Result<Enqueued, Failed> {
        let id = attempt.id.as_deref();
        let (mut pause, _) = self.retry.pauses();
        let mut calls = Earlier::WithoutEffect;
        loop {
            let cause = match self.call(envelope, id).await {
                Ok(task) => return Ok(receipt(envelope, id, &task)),
                Err(cause) => cause,
            };
            let outcome = CallOutcome::of(&cause);
            if let Some(id) = id.filter(|_| outcome.exists) {
                let mut enqueued = Enqueued::new(&envelope.queue, id);
                enqueued.schedule_time = envelope.schedule_time;
                // With a generated id, or after a call without a response, the existing task was created by this call.
                return Ok(enqueued.with_duplicate(attempt.given && calls == Earlier::WithoutEffect));
            }
            calls = calls.and(outcome);
            let next = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            let ends = attempt.started.elapsed() + next >= self.retry.deadline;
            if !attempt.repeats || !outcome.retryable || ends {
                return Err(Failed { cause, calls });
            }
            tracing::debug!(error = %error_chain(&cause), pause = ?next, "no clear response; retrying the call");
            tokio::time::sleep(next).await;
            pause = self.retry.longer(pause);
        }
    }

    /// The services behind this backend, for set-up and administration.
    pub fn services(&self) -> Services {
        let pubsub = self.pubsub.as_ref().map(PubSub::access);
        Services::new(pubsub.cloned(), self.queues.clone(), self.scheduler.clone())
    }

    async fn call(&self, envelope: &Envelope, id: Option<&str>) -> Result<Task, GoogleError> {
        // The semaphore is never closed. The permit is held for one attempt, so that a backoff does not block other
        // calls.
        let _permit = self.calls.acquire().await.ok();
        self.client
            .create_task()
            .set_parent(self.target.queue(envelope.queue()))
            .set_task(self.target.task(envelope, id))
            .send()
            .await
    }
}

impl Backend for GoogleBackend {
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
        Box::pin(self.create(envelope))
    }

    fn publish(&self, publication: Publication) -> BackendFuture<'_, String> {
        match &self.pubsub {
            Some(pubsub) => pubsub.publish(publication),
            None => {
                let project = self.target.project();
                match &self.engine_client {
                    Some(client) => Box::pin(engine::publish(client, project, publication)),
                    None => Box::pin(ready(Err(engine::no_pubsub(publication.topic())))),
                }
            }
        }
    }

    fn flush(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            if let Some(pubsub) = &self.pubsub {
                pubsub.flush().await;
            }
        })
    }
}

/// The task has the id that was sent, even if the response omits it.
fn receipt(envelope: &Envelope, id: Option<&str>, task: &Task) -> Enqueued {
    let id = id.or_else(|| task.name.rsplit('/').next()).unwrap_or_default();
    let mut enqueued = Enqueued::new(envelope.queue(), id);
    enqueued.schedule_time = task
        .schedule_time
        .and_then(|time| SystemTime::try_from(time).ok())
        .or(envelope.schedule_time);
    enqueued
}

impl fmt::Debug for GoogleBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoogleBackend")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
