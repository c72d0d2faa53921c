//! Publishing in Google Pub/Sub: a publisher for each topic, made when it is first needed and kept.

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
use crate::backend::google::topic_publisher::{Handed, TopicPublisher};
use crate::base::{Error, Publication, RetrySettings};

/// Publishes messages to Google Pub/Sub, or to its emulator.
pub(crate) struct PubSub {
    access: PubSubAccess,
    retry: RetrySettings,
    client: OnceCell<BasePublisher>,
    /// By full path, and by the names that were given; a service has few.
    topics: Mutex<HashMap<String, Arc<TopicPublisher>>>,
}

impl PubSub {
    pub(crate) fn new(access: PubSubAccess, retry: RetrySettings) -> Self {
        Self {
            access,
            retry,
            client: OnceCell::new(),
            topics: Mutex::default(),
        }
    }

    pub(crate) fn access(&self) -> &PubSubAccess {
        &self.access
    }

    /// Publishes a message, and gives back its id.
    ///
    /// To a topic that is known the message is on its way at once, and what is boxed is a few words.
    pub(crate) fn publish(&self, publication: Publication) -> BackendFuture<'_, String> {
        match self.known(publication.topic()) {
            Some(topic) => publish(topic, publication),
            None => {
                Box::pin(async move { publish(self.topic(publication.topic()).await?, publication).await })
            }
        }
    }

    /// Waits until everything that was handed over is published, or has failed.
    pub(crate) async fn flush(&self) {
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
        // Publishing is repeated as enqueueing is; a message that arrives twice has two ids, as Pub/Sub itself does it.
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
            Error::unavailable(format!("the client of Pub/Sub was not built: {error}"), false)
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

/// A message without ordering key, whose answer is awaited.
struct Publishing(Handed);

impl Future for Publishing {
    type Output = Result<String, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let published = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(published.map_err(|error| failed(self.0.topic(), error)))
    }
}

/// The error that the caller gets.
fn failed(topic: &str, error: PublishError) -> Error {
    match error {
        PublishError::Rpc(cause) => refused_or_unclear(topic, &cause).with_source(cause),
        PublishError::OrderingKeyPaused => Error::unavailable(
            format!(
                "the message to topic {topic} was not published, since one before it of the same ordering key failed; \
                 publish both again, in their order"
            ),
            false,
        ),
        error => Error::unavailable(
            format!("the message to topic {topic} may have been published, but no answer says so: {error}"),
            true,
        ),
    }
}

fn refused_or_unclear(topic: &str, cause: &GoogleError) -> Error {
    let verdict = CreateOutcome::of(cause);
    let help = help(cause, topic)
        .map(|help| format!("; {help}"))
        .unwrap_or_default();
    // The client repeats calls itself, so an answer that may change says nothing of the call before it.
    if verdict.repeat || verdict.may_have_taken_effect {
        return Error::unavailable(
            format!(
                "the message to topic {topic} may have been published, but no answer says so: {cause}{help}"
            ),
            true,
        );
    }
    Error::rejected(format!(
        "the message to topic {topic} was not published: {cause}{help}"
    ))
}

/// What fixes an answer that is the same every time.
fn help(cause: &GoogleError, topic: &str) -> Option<String> {
    let project = topic.split('/').nth(1).unwrap_or("PROJECT");
    if let Some(help) = PUBSUB.help(cause, project) {
        return Some(help);
    }
    match cause.status()?.code {
        Code::NotFound => Some(format!(
            "is there such a topic? `Runtime::setup` makes it, and so does `gcloud pubsub topics create {topic}`"
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
