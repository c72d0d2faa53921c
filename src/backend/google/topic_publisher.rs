//! The publisher of one topic: sends a single message at once and batches concurrent ones.

use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::join_all;
use google_cloud_pubsub::client::{BasePublisher, Publisher};
use google_cloud_pubsub::error::PublishError;
use google_cloud_pubsub::model::Message;
use google_cloud_pubsub::publisher::PublishFuture;

/// The maximum number of messages per request.
const BATCH: u32 = 1000;
/// The client keeps an actor for every ordering key that it has seen, so it is replaced after this many messages.
const ORDERED_MESSAGES: usize = 10_000;

/// Publishes to one topic.
pub(crate) struct TopicPublisher {
    /// Sends each message at once.
    single: Publisher,
    /// Batches messages for one tick of tokio's clock, a millisecond. A single message should not wait for that.
    batching: Publisher,
    in_flight: AtomicUsize,
    ordered: Mutex<Ordered>,
    client: BasePublisher,
    topic: String,
}

/// Messages with an ordering key: one publisher for all messages of a key, since two could reorder them.
struct Ordered {
    publisher: Publisher,
    /// The previous publisher, which may still be sending messages that nobody awaits.
    previous: Option<Publisher>,
    handed_over: usize,
    /// The number of awaited messages per key.
    waiting: HashMap<String, usize>,
}

impl TopicPublisher {
    /// A publisher for the topic with this full path.
    pub fn new(client: BasePublisher, topic: String) -> Self {
        Self {
            single: publisher(&client, &topic, 1),
            batching: publisher(&client, &topic, BATCH),
            in_flight: AtomicUsize::new(0),
            ordered: Mutex::new(Ordered {
                publisher: publisher(&client, &topic, BATCH),
                previous: None,
                handed_over: 0,
                waiting: HashMap::new(),
            }),
            client,
            topic,
        }
    }

    /// The topic's full path.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Sends a message without ordering key. Dropping the returned future does not stop it.
    pub fn publish(self: Arc<Self>, message: Message) -> PendingMessage {
        let alone = self.in_flight.fetch_add(1, Ordering::Relaxed) == 0;
        let publisher = if alone { &self.single } else { &self.batching };
        PendingMessage {
            published: publisher.publish(message),
            topic: self,
        }
    }

    /// Publishes a message with an ordering key, and returns its id.
    ///
    /// The message is sent at the first poll; dropping the future afterwards does not stop it.
    pub async fn publish_ordered(&self, message: Message) -> Result<String, PublishError> {
        let key = message.ordering_key.clone();
        let (publisher, alone) = self.enter(&key);
        let _leave = OnDrop(|| self.leave(&key));
        // The client pauses a key after a failure. The pause may take effect only after we have resumed the key, and
        // then it rejects the next message. Retry that message if no other message of its key is awaited, since the
        // failure does not concern it.
        let again = alone.then(|| message.clone());
        let mut result = publisher.publish(message).await;
        if let (Err(PublishError::OrderingKeyPaused), Some(message)) = (&result, again) {
            publisher.resume_publish(&key);
            result = publisher.publish(message).await;
        }
        if result.is_err() {
            publisher.resume_publish(&key);
        }
        result
    }

    fn enter(&self, key: &str) -> (Publisher, bool) {
        let mut ordered = self.ordered();
        if ordered.waiting.is_empty() && ordered.handed_over >= ORDERED_MESSAGES {
            let next = publisher(&self.client, &self.topic, BATCH);
            ordered.previous = Some(mem::replace(&mut ordered.publisher, next));
            ordered.handed_over = 0;
        }
        ordered.handed_over += 1;
        let waiting = ordered.waiting.entry(key.to_owned()).or_default();
        *waiting += 1;
        let alone = *waiting == 1;
        (ordered.publisher.clone(), alone)
    }

    fn leave(&self, key: &str) {
        let mut ordered = self.ordered();
        if let Some(waiting) = ordered.waiting.get_mut(key) {
            *waiting -= 1;
            if *waiting == 0 {
                ordered.waiting.remove(key);
            }
        }
    }

    fn ordered(&self) -> MutexGuard<'_, Ordered> {
        self.ordered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until every message was published or has failed.
    pub async fn flush(&self) {
        let mut publishers = vec![self.single.clone(), self.batching.clone()];
        {
            let ordered = self.ordered();
            publishers.push(ordered.publisher.clone());
            publishers.extend(ordered.previous.clone());
        }
        join_all(publishers.iter().map(Publisher::flush)).await;
    }
}

/// A message that is being sent; resolves to its id.
pub(crate) struct PendingMessage {
    published: PublishFuture,
    topic: Arc<TopicPublisher>,
}

impl PendingMessage {
    /// The topic's full path.
    pub fn topic(&self) -> &str {
        &self.topic.topic
    }
}

impl Future for PendingMessage {
    type Output = Result<String, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.published).poll(cx)
    }
}

impl Drop for PendingMessage {
    fn drop(&mut self) {
        self.topic.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn publisher(client: &BasePublisher, topic: &str, batch: u32) -> Publisher {
    client
        .publisher(topic)
        .set_message_count_threshold(batch)
        .set_delay_threshold(Duration::ZERO)
        .build()
}

impl fmt::Debug for TopicPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicPublisher")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

/// Runs a function when the future around it ends or is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests {
    use google_cloud_auth::credentials::anonymous;

    use super::*;

    async fn topic() -> TopicPublisher {
        let client = BasePublisher::builder()
            .with_credentials(anonymous::Builder::new().build())
            .build()
            .await
            .unwrap();
        TopicPublisher::new(client, "projects/p/topics/t".to_owned())
    }

    #[tokio::test]
    async fn actors_of_old_keys_are_given_up_only_when_no_key_is_waited_for() {
        let topic = topic().await;
        topic.enter("waited for");
        for number in 0..ORDERED_MESSAGES {
            let key = number.to_string();
            assert!(topic.enter(&key).1);
            topic.leave(&key);
        }
        assert!(topic.ordered().previous.is_none());

        topic.leave("waited for");
        topic.enter("next");

        let ordered = topic.ordered();
        assert!(ordered.previous.is_some());
        assert_eq!((ordered.handed_over, ordered.waiting.len()), (1, 1));
    }

    #[tokio::test]
    async fn a_message_is_alone_when_no_other_of_its_key_is_waited_for() {
        let topic = topic().await;

        assert!(topic.enter("a").1);
        assert!(!topic.enter("a").1);
        assert!(topic.enter("b").1);
        topic.leave("a");
        assert!(!topic.enter("a").1);
        topic.leave("a");
        topic.leave("a");

        assert!(topic.enter("a").1);
    }
}
