//! Publishing to Google Pub/Sub, with one cached publisher per topic.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use futures_util::future::join_all;
use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_gax::exponential_backoff::ExponentialBackoffBuilder;
use google_cloud_gax::retry_policy::{NeverRetry, RetryPolicyExt};
use google_cloud_pubsub::client::BasePublisher;
use google_cloud_pubsub::error::PublishError;
use google_cloud_pubsub::model::Message;
use google_cloud_pubsub::retry_policy::RetryableErrors;
use tokio::sync::OnceCell;

use crate::backend::BackendFuture;
use crate::backend::google::access::PubSubAccess;
use crate::backend::google::create_error::CreateOutcome;
use crate::backend::google::retry::PUBSUB;
use crate::backend::google::topic_publisher::{PendingMessage, TopicPublisher};
use crate::base::{Error, Publication, RetrySettings};

/// Publishes messages to Google Pub/Sub, or to its emulator.
pub(crate) struct PubSub {
    access: PubSubAccess,
    retry: RetrySettings,
    client: OnceCell<BasePublisher>,
    /// By full path, and by the names that callers use; a service has few.
    topics: Mutex<HashMap<String, Arc<TopicPublisher>>>,
}

impl PubSub {
    pub fn new(access: PubSubAccess, retry: RetrySettings) -> Self {
        Self {
            access,
            retry,
            client: OnceCell::new(),
            topics: Mutex::default(),
        }
    }

    pub fn access(&self) -> &PubSubAccess {
        &self.access
    }

    /// Publishes a message, and returns its id.
    ///
    /// If the topic's publisher exists, the message is sent at once, and the boxed future is small.
    pub fn publish(&self, publication: Publication) -> BackendFuture<'_, String> {
        match self.known(publication.topic()) {
            Some(topic) => publish(topic, publication),
            None => {
                Box::pin(async move { publish(self.topic(publication.topic()).await?, publication).await })
            }
        }
    }

    /// Waits until every message was published or has failed.
    pub async fn flush(&self) {
        let topics: Vec<_> = self.topics().values().cloned().collect();
        join_all(topics.iter().map(|topic| topic.flush())).await;
    }

    fn known(&self, name: &str) -> Option<Arc<TopicPublisher>> {
        self.topics().get(name).cloned()
    }

    async fn topic(&self, name: &str) -> Result<Arc<TopicPublisher>, Error> {
        let path = self.access.topic(name);
        let client = self.client.get_or_try_init(|| self.connect()).await?;
        let mut topics = self.topics();
        let made = topics
            .entry(path)
            .or_insert_with_key(|path| Arc::new(TopicPublisher::new(client.clone(), path.clone())));
        let topic = Arc::clone(made);
        topics.insert(name.to_owned(), Arc::clone(&topic));
        Ok(topic)
    }

    async fn connect(&self) -> Result<BasePublisher, Error> {
        let mut builder = BasePublisher::builder().with_credentials(self.access.credentials.clone());
        if let Some(url) = &self.access.endpoint {
            builder = builder.with_endpoint(url);
        }
        // Publishing uses the retry policy of enqueueing. A message that is published twice gets two ids, as Pub/Sub
        // documents.
        builder = if self.retry.deadline.is_zero() {
            builder.with_retry_policy(NeverRetry)
        } else {
            builder.with_retry_policy(RetryableErrors.with_time_limit(self.retry.deadline))
        };
        let backoff = ExponentialBackoffBuilder::new()
            .with_initial_delay(self.retry.initial)
            .with_maximum_delay(self.retry.maximum)
            .with_scaling(self.retry.multiplier)
            .clamp();
        let client = builder.with_backoff_policy(backoff).build().await;
        client.map_err(|error| {
            Error::unavailable(format!("the Pub/Sub client could not be built: {error}"), false)
                .with_source(error)
        })
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<String, Arc<TopicPublisher>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn publish(topic: Arc<TopicPublisher>, publication: Publication) -> BackendFuture<'static, String> {
    let message = Message::new()
        .set_data(publication.data)
        .set_attributes(publication.attributes);
    match publication.ordering_key {
        None => Box::pin(Publishing(topic.publish(message))),
        Some(key) => Box::pin(async move {
            let message = message.set_ordering_key(key);
            let published = topic.publish_ordered(message).await;
            published.map_err(|error| failed(topic.topic(), error))
        }),
    }
}

/// A message without ordering key that awaits its response.
struct Publishing(PendingMessage);

impl Future for Publishing {
    type Output = Result<String, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let published = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(published.map_err(|error| failed(self.0.topic(), error)))
    }
}

/// The error for the caller.
fn failed(topic: &str, error: PublishError) -> Error {
    match error {
        PublishError::Rpc(cause) => refused_or_unclear(topic, &cause).with_source(cause),
        PublishError::OrderingKeyPaused => Error::unavailable(
            format!(
                "the message to topic {topic} was not published, since an earlier one with the same ordering key failed; publish both again, in order"
            ),
            false,
        ),
        error => Error::unavailable(
            format!(
                "the message to topic {topic} may have been published, but there was no clear response: {error}"
            ),
            true,
        ),
    }
}

fn refused_or_unclear(topic: &str, cause: &GoogleError) -> Error {
    let outcome = CreateOutcome::of(cause);
    let help = help(cause, topic)
        .map(|help| format!("; {help}"))
        .unwrap_or_default();
    // The client retries calls itself, so a transient error says nothing about the call before it.
    if outcome.repeat || outcome.may_have_taken_effect {
        return Error::unavailable(
            format!(
                "the message to topic {topic} may have been published, but there was no clear response: {cause}{help}"
            ),
            true,
        );
    }
    Error::rejected(format!(
        "the message to topic {topic} was not published: {cause}{help}"
    ))
}

/// The remedy for an error that no retry can fix.
fn help(cause: &GoogleError, topic: &str) -> Option<String> {
    let project = topic.split('/').nth(1).unwrap_or("PROJECT");
    if let Some(help) = PUBSUB.help(cause, project) {
        return Some(help);
    }
    match cause.status()?.code {
        Code::NotFound => Some(format!(
            "check that the topic exists; create it with `Runtime::setup` or `gcloud pubsub topics create {topic}`"
        )),
        Code::PermissionDenied => Some(format!("the caller needs roles/pubsub.publisher on {topic}")),
        Code::Unauthenticated => Some("the credentials were not accepted".to_owned()),
        _ => None,
    }
}

impl fmt::Debug for PubSub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSub")
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}
