//! One connection to Pub/Sub, and the publishers of its topics.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use google_cloud_pubsub::client::{BasePublisher, Publisher};
use google_cloud_pubsub::error::PublishError;
use google_cloud_pubsub::model::Message;
use google_cloud_pubsub::publisher::PublishFuture;
use tokio::time::{Instant, timeout, timeout_at};

use crate::backend::google::publish::attempts::Failure;
use crate::backend::google::publish::topics::Topics;

/// The maximum number of messages per request.
pub(super) const BATCH: u32 = 1000;

/// Sends messages until it is retired.
pub(super) struct Connection {
    client: BasePublisher,
    attempt_timeout: Duration,
    topics: Topics,
    retired: AtomicBool,
    opened: Instant,
    /// When the last response came, in milliseconds since it was opened.
    heard: AtomicU64,
}

impl Connection {
    pub fn new(client: BasePublisher, attempt_timeout: Duration) -> Self {
        Self {
            client,
            attempt_timeout,
            topics: Topics::default(),
            retired: AtomicBool::new(false),
            opened: Instant::now(),
            heard: AtomicU64::new(0),
        }
    }

    /// Whether new messages must use another connection.
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// Lets the next message make a connection of its own. HTTP/2 alone never notices that the other side is gone without a
    /// word, and would send everything into the void until TCP gives up.
    fn retire(&self) {
        if !self.retired.swap(true, Ordering::Relaxed) {
            tracing::debug!("Pub/Sub is silent; the connection is made anew");
        }
    }

    /// A publisher of a topic that sends this many messages per request.
    pub fn publisher(&self, path: impl Into<String>, batch: u32) -> Publisher {
        self.client
            .publisher(path)
            .set_message_count_threshold(batch)
            .set_delay_threshold(Duration::ZERO)
            .build()
    }

    /// Sends a message without ordering key to a topic, in one attempt. `path` is the topic's full path. `batch` says whether
    /// other messages may share its request, and whether they did.
    pub async fn publish(
        &self,
        topic: &str,
        path: impl Fn() -> String,
        message: Message,
        batch: &mut Batch,
    ) -> Result<String, Failure> {
        let topic = match self.topics.kept(topic) {
            Some(topic) => topic,
            None => {
                // In a box, since few messages need it.
                let waiting = Box::pin(timeout(self.attempt_timeout, self.topics.get(topic)));
                waiting.await.map_err(|_| Failure::Busy(self.attempt_timeout))?
            }
        };
        // A message alone must not wait for others.
        if topic.is_alone {
            *batch = Batch::Alone;
        }
        let publisher = match batch {
            Batch::Alone => topic.single(|| self.publisher(path(), 1)),
            Batch::Shared => topic.batching(|| self.publisher(path(), BATCH)),
        };
        let response = publisher.publish(message);
        self.response(response).await
    }

    /// Waits for the response to a message, as long as the connection answers anything at all.
    pub async fn response(&self, mut published: PublishFuture) -> Result<String, Failure> {
        // The client limits the time of its calls, but not how long it connects, or finds its credentials.
        let mut give_up = Instant::now() + self.attempt_timeout;
        let result = loop {
            match timeout_at(give_up, &mut published).await {
                Ok(result) => break result,
                Err(_) => {
                    let heard = self.opened + Duration::from_millis(self.heard.load(Ordering::Relaxed));
                    // It waits behind other calls, which are answered.
                    if heard + self.attempt_timeout > give_up {
                        give_up = heard + self.attempt_timeout;
                        continue;
                    }
                    self.retire();
                    return Err(Failure::Silent(self.attempt_timeout));
                }
            }
        };
        match &result {
            Err(PublishError::Rpc(cause)) if cause.is_timeout() => self.retire(),
            Err(PublishError::Rpc(cause)) if cause.status().is_none() => {}
            Err(PublishError::Rpc(_)) | Ok(_) => self.hear(),
            // Its tasks are gone.
            Err(PublishError::Shutdown) => self.retire(),
            Err(_) => {}
        }
        result.map_err(Failure::from)
    }

    fn hear(&self) {
        let elapsed = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard.fetch_max(elapsed, Ordering::Relaxed);
    }
}

/// Whether a message shares its request with others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Batch {
    Shared,
    Alone,
}
