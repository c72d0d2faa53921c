//! Creating a task, with retries until the outcome is certain.

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use google_cloud_gax::error::Error as GoogleError;
use google_cloud_gax::options::RequestOptionsBuilder;
use tokio::time::Instant;

use crate::backend::google::access::{QueueAccess, SchedulerAccess};
use crate::backend::google::backup_queue::Backup;
use crate::backend::google::call_limit::{Busy, CallLimit, Wait};
use crate::backend::google::convert::TaskFactory;
use crate::backend::google::create_body::Created;
use crate::backend::google::create_error::{self, Failed};
use crate::backend::google::error::{CallOutcome, Earlier};
use crate::backend::google::official_client::OfficialClient;
use crate::backend::google::publish::{PubSub, engine};
use crate::backend::google::rest_client::RestClient;
use crate::backend::google::transport::{Authorization, Token, Transport};
use crate::backend::{Backend, BackendFuture, Services};
use crate::base::text::error_chain;
use crate::base::{Enqueued, Envelope, Error, Publication, RetrySettings, names, process};

/// A token is good for longer than this when it is fetched: the libraries renew it 20 seconds before its end, or earlier.
const TOKEN_MARGIN: Duration = Duration::from_secs(10);

/// Creates tasks in Google Cloud Tasks, or in an emulator of its API.
pub(crate) struct GoogleBackend {
    /// The transport of frequent calls, unless only Google's client can reach the server.
    pub transport: Option<Transport>,
    pub client: OfficialClient,
    pub target: TaskFactory,
    pub queues: QueueAccess,
    /// The client that reads tasks if Cloud Tasks is an emulator.
    pub emulator_client: Option<RestClient>,
    /// The engine of another process, whose Pub/Sub takes messages if there is no other one.
    pub engine_client: Option<RestClient>,
    /// `None` if Cloud Tasks is an emulator: there is no emulator of Cloud Scheduler.
    pub scheduler: Option<SchedulerAccess>,
    pub calls: CallLimit,
    /// With the credentials of `client`.
    pub authorization: Authorization,
    pub attempt_timeout: Duration,
    pub retry: RetrySettings,
    pub backup: Backup,
    /// `None` if only Cloud Tasks is an emulator: a laptop sends nothing to Google unless asked to.
    pub pubsub: Option<PubSub>,
}

/// What all calls of one enqueue share.
pub(super) struct CreateAttempt {
    started: Instant,
    wait: Wait,
    repeats: bool,
    /// Whether the caller chose the id.
    given: bool,
    id: Option<String>,
}

impl CreateAttempt {
    /// The time since the first call. Waiting for a connection is limited by itself: behind a burst it would leave no time
    /// for a retry.
    fn elapsed(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.wait.spent())
    }
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
        let mut attempt = CreateAttempt {
            started: Instant::now(),
            wait: Wait::default(),
            repeats,
            given,
            id,
        };
        let failed = match self.create_in_queue(&envelope, &mut attempt).await {
            Ok(enqueued) => return Ok(enqueued),
            Err(failed) => failed,
        };
        match failed.missing_queue() {
            // Boxed, so that the future of the common case stays small.
            Some(missing_queue) => {
                Box::pin(self.create_in_backup(envelope, &mut attempt, failed, missing_queue)).await
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
        attempt: &mut CreateAttempt,
    ) -> Result<Enqueued, Failed> {
        let (mut pause, _) = self.retry.pauses();
        let mut calls = Earlier::WithoutEffect;
        let mut last = None;
        loop {
            let called = self.call(envelope, attempt).await;
            let id = attempt.id.as_deref();
            let cause = match called {
                Ok(created) => return Ok(receipt(envelope, id, &created)),
                Err(cause) => cause,
            };
            if Busy::of(&cause).is_some() {
                let cause = Busy::after(cause, last);
                return Err(Failed { cause, calls });
            }
            let outcome = CallOutcome::of(&cause);
            if let Some(id) = id.filter(|_| outcome.exists) {
                let mut enqueued = Enqueued::new(&envelope.queue, id);
                enqueued.schedule_time = envelope.schedule_time;
                // With a generated id, or after a call without a response, the existing task was created by this call.
                let is_duplicate = attempt.given && calls == Earlier::WithoutEffect;
                return Ok(if is_duplicate {
                    enqueued.into_duplicate()
                } else {
                    enqueued
                });
            }
            calls = calls.and(outcome);
            let next = pause.mul_f64(0.5 + process::random_fraction() / 2.0);
            let ends = attempt.elapsed().saturating_add(next) >= self.retry.deadline;
            if !attempt.repeats || !outcome.retryable || ends {
                return Err(Failed { cause, calls });
            }
            tracing::debug!(error = %error_chain(&cause), pause = ?next, "no clear response; retrying the call");
            tokio::time::sleep(next).await;
            pause = self.retry.longer(pause);
            last = Some(cause);
        }
    }

    /// The services behind this backend, for set-up and administration.
    pub fn services(&self) -> Services {
        let pubsub = self.pubsub.as_ref().map(PubSub::access);
        Services::new(pubsub.cloned(), self.queues.clone(), self.scheduler.clone())
    }

    async fn call(&self, envelope: &Envelope, attempt: &mut CreateAttempt) -> Result<Created, GoogleError> {
        let id = attempt.id.as_deref();
        let queue = self.target.queue(envelope.queue());
        let path = self
            .transport
            .as_ref()
            .and_then(|transport| Some((transport, transport.create_path(&queue)?)));
        let Some((transport, path)) = path else {
            // Boxed, so that the future of the common case stays small.
            return Box::pin(self.call_by_client(envelope, queue, attempt)).await;
        };
        let (path, body) = (&path, &self.target.create_body(envelope, &queue, id)?);
        let call = |token: Arc<Token>, limit| async move {
            let json = transport.post(path, body.clone(), &token, limit).await?;
            Created::read(&json)
        };
        self.attempt(&mut attempt.wait, call).await
    }

    /// Creates a task by Google's client, which can call what our transport cannot.
    async fn call_by_client(
        &self,
        envelope: &Envelope,
        queue: String,
        attempt: &mut CreateAttempt,
    ) -> Result<Created, GoogleError> {
        let id = attempt.id.as_deref();
        let client = self.client.get().await?;
        let call = |token: Arc<Token>, limit| {
            let call = client
                .create_task()
                .set_parent(&queue)
                .set_task(self.target.task(envelope, id))
                .with_attempt_timeout(limit);
            async move {
                let task = token.for_client(call.send()).await?;
                Ok(Created {
                    name: Some(task.name),
                    schedule_time: task.schedule_time,
                })
            }
        };
        self.attempt(&mut attempt.wait, call).await
    }

    /// Makes one attempt: fetches a token, takes a place, and calls within the time that is left of the attempt. If the service
    /// rejects the token, makes it once more with another one.
    ///
    /// A token that is slow to come takes no place from other calls. Neither does a backoff: the place is free after the call.
    pub async fn attempt<T, F>(
        &self,
        wait: &mut Wait,
        call: impl Fn(Arc<Token>, Duration) -> F,
    ) -> Result<T, GoogleError>
    where
        F: Future<Output = Result<T, GoogleError>>,
    {
        let started = Instant::now();
        let token = self.authorization.token().await?;
        let called = self.call_with(Arc::clone(&token), started, wait, &call).await;
        match called {
            Err(error) if error.http_status_code() == Some(401) => {
                let started = Instant::now();
                match self.authorization.other_than(&token).await? {
                    Some(other) => self.call_with(other, started, wait, &call).await,
                    None => Err(error),
                }
            }
            called => called,
        }
    }

    /// Takes a place and calls, with a token that was asked for at `started`.
    async fn call_with<T, F>(
        &self,
        mut token: Arc<Token>,
        started: Instant,
        wait: &mut Wait,
        call: impl Fn(Arc<Token>, Duration) -> F,
    ) -> Result<T, GoogleError>
    where
        F: Future<Output = Result<T, GoogleError>>,
    {
        let fetching = started.elapsed();
        let _place = match self.calls.try_take() {
            Some(place) => place,
            None => {
                let place = self.calls.take(wait).await?;
                if started.elapsed().saturating_sub(fetching) > TOKEN_MARGIN {
                    token = self.authorization.token().await?;
                }
                place
            }
        };
        call(token, self.attempt_timeout.saturating_sub(fetching)).await
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
fn receipt(envelope: &Envelope, id: Option<&str>, created: &Created) -> Enqueued {
    let made = || created.name.as_deref().map(names::last_segment);
    let mut enqueued = Enqueued::new(envelope.queue(), id.or_else(made).unwrap_or_default());
    enqueued.schedule_time = created
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
