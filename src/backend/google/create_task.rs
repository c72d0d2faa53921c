//! Creating a task: once, or again until it is certain.

use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use google_cloud_gax::error::Error as GoogleError;
use google_cloud_tasks_v2::client::CloudTasks;
use google_cloud_tasks_v2::model::Task;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::backend::google::access::{QueueAccess, SchedulerAccess};
use crate::backend::google::backup_queue::Backup;
use crate::backend::google::convert::TaskFactory;
use crate::backend::google::create_error::{self, CreateOutcome, Failed};
use crate::backend::google::emulator_client::EmulatorClient;
use crate::backend::google::publish::PubSub;
use crate::backend::{Backend, BackendFuture, Services};
use crate::base::limits::INDEFINITELY;
use crate::base::{Enqueued, Envelope, Error, Publication, RetrySettings, names};

/// Creates tasks in Google Cloud Tasks, or in what speaks its API.
pub(crate) struct GoogleBackend {
    pub client: CloudTasks,
    pub target: TaskFactory,
    pub queues: QueueAccess,
    /// How tasks are read, where Cloud Tasks is an emulator.
    pub emulated: Option<EmulatorClient>,
    /// Missing where Cloud Tasks is an emulator: there is none of Cloud Scheduler.
    pub scheduler: Option<SchedulerAccess>,
    /// The client opens a connection for every call under way, so their number is bounded.
    pub calls: Semaphore,
    pub retry: RetrySettings,
    pub backup: Backup,
    /// Missing where Cloud Tasks is an emulator and Pub/Sub has none: nothing of a laptop goes to Google unasked.
    pub pubsub: Option<PubSub>,
}

/// What stays the same in all calls of one enqueue.
pub(super) struct CreateAttempt {
    started: Instant,
    repeats: bool,
    /// Whether the id is the caller's.
    given: bool,
    id: Option<String>,
}

impl GoogleBackend {
    /// Creates a task, in the backup queue where its own is gone, and repeats a call until its outcome is clear or time is
    /// up.
    pub(crate) async fn create(&self, envelope: Envelope) -> Result<Enqueued, Error> {
        let repeats = !self.retry.deadline.is_zero();
        let given = envelope.id.is_some();
        // A repeat must not create a second task, and only a name can prevent that.
        let id = envelope
            .id
            .clone()
            .or_else(|| repeats.then(names::random_task_id));
        let effort = CreateAttempt {
            started: Instant::now(),
            repeats,
            given,
            id,
        };
        let failed = match self.create_in_queue(&envelope, &effort).await {
            Ok(enqueued) => return Ok(enqueued),
            Err(failed) => failed,
        };
        match failed.lack() {
            // In a box, so that the future of the common case stays small.
            Some(lack) => Box::pin(self.create_in_backup(envelope, &effort, failed, lack)).await,
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
        effort: &CreateAttempt,
    ) -> Result<Enqueued, Failed> {
        let id = effort.id.as_deref();
        let mut pause = self.retry.initial.min(self.retry.maximum).min(INDEFINITELY);
        let mut may_have_taken_effect = false;
        loop {
            let cause = match self.call(envelope, id).await {
                Ok(task) => return Ok(receipt(envelope, id, &task)),
                Err(cause) => cause,
            };
            let verdict = CreateOutcome::of(&cause);
            if let Some(id) = id.filter(|_| verdict.exists) {
                let mut enqueued = Enqueued::new(&envelope.queue, id);
                enqueued.schedule_time = envelope.schedule_time;
                // An id of our own, or a call that got no answer before: the task is the one of this call.
                return Ok(enqueued.with_duplicate(effort.given && !may_have_taken_effect));
            }
            may_have_taken_effect |= verdict.may_have_taken_effect;
            let next = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            let ends = effort.started.elapsed() + next >= self.retry.deadline;
            if !effort.repeats || !verdict.repeat || ends {
                return Err(Failed {
                    cause,
                    may_have_taken_effect,
                });
            }
            tracing::debug!(error = %cause, pause = ?next, "no clear answer; the call is repeated");
            tokio::time::sleep(next).await;
            pause = longer(pause, &self.retry);
        }
    }

    /// How what this calls is reached for other work than sending.
    pub(crate) fn services(&self) -> Services {
        let pubsub = self.pubsub.as_ref().map(PubSub::access);
        Services::new(pubsub.cloned(), self.queues.clone(), self.scheduler.clone())
    }

    async fn call(&self, envelope: &Envelope, id: Option<&str>) -> Result<Task, GoogleError> {
        // Never closed, so a permit always comes; held for one attempt, so that a pause holds up nobody.
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
            None => Box::pin(ready(Err(Error::rejected(format!(
                "the message to topic {} was not published: Cloud Tasks is an emulator here, and no Pub/Sub is named; \
                 set PUBSUB_EMULATOR_HOST",
                publication.topic()
            ))))),
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

/// The id that was sent is the task's, also where the answer leaves it out.
fn receipt(envelope: &Envelope, id: Option<&str>, task: &Task) -> Enqueued {
    let id = id.or_else(|| task.name.rsplit('/').next()).unwrap_or_default();
    let mut enqueued = Enqueued::new(envelope.queue(), id);
    enqueued.schedule_time = task
        .schedule_time
        .and_then(|time| SystemTime::try_from(time).ok())
        .or(envelope.schedule_time);
    enqueued
}

fn longer(pause: Duration, retry: &RetrySettings) -> Duration {
    Duration::try_from_secs_f64(pause.as_secs_f64() * retry.multiplier)
        .unwrap_or(retry.maximum)
        .min(retry.maximum)
        .min(INDEFINITELY)
}

impl fmt::Debug for GoogleBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoogleBackend")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
