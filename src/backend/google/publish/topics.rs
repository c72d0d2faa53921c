//! The publishers of the topics that were used last.
//!
//! Google's client runs two tasks for a publisher, for as long as the publisher exists. So a service whose topics have many
//! names cannot keep one for each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use google_cloud_pubsub::client::Publisher;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::backend::google::publish::session::lock;
use crate::base::{FixedHash, Recent};

/// The maximum number of topics with a publisher.
pub(super) const MAX_TOPICS: usize = 256;

/// The publishers of up to [`MAX_TOPICS`] topics, without ordering keys. Unused ones make room for others.
pub(super) struct Topics {
    /// A place for each topic, which is free again when its last message has its response.
    places: Arc<Semaphore>,
    /// By name or full path, as the messages have it.
    kept: Mutex<Recent<String, Arc<TopicPublisher>, FixedHash>>,
    /// How many messages wait for a place.
    waiting: AtomicUsize,
}

/// Publishes to one topic. Its tasks end when it is dropped, after the messages that they have.
struct TopicPublisher {
    /// Sends each message at once.
    single: OnceLock<Publisher>,
    /// Batches messages for one tick of tokio's clock, a millisecond. A single message should not wait for that.
    batching: OnceLock<Publisher>,
    in_flight: AtomicUsize,
    _place: OwnedSemaphorePermit,
}

/// The publisher of a message that awaits its response.
pub(super) struct TopicUse<'a> {
    topics: &'a Topics,
    topic: Arc<TopicPublisher>,
    /// Whether no other message awaited its response when this one came.
    pub is_alone: bool,
}

impl Default for Topics {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MAX_TOPICS)),
            kept: Mutex::new(Recent::new(MAX_TOPICS)),
            waiting: AtomicUsize::new(0),
        }
    }
}

impl Topics {
    /// The publisher of a topic that has none. Waits while as many other topics have messages in flight.
    pub async fn get(&self, topic: &str) -> TopicUse<'_> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = match place {
            Ok(place) => Some(place),
            Err(_) => {
                let _waiting = Waiting::new(&self.waiting);
                self.forget_unused();
                // Never closed.
                Arc::clone(&self.places).acquire_owned().await.ok()
            }
        };
        let Some(place) = place else {
            return std::future::pending().await;
        };
        let mut kept = lock(&self.kept);
        // Another message may have been faster.
        if let Some(publisher) = kept.get(topic) {
            return self.enter(Arc::clone(publisher));
        }
        let publisher = Arc::new(TopicPublisher::new(place));
        kept.insert(topic.to_owned(), Arc::clone(&publisher), 1);
        self.enter(publisher)
    }

    /// The publisher of a topic, if it has one.
    pub fn kept(&self, topic: &str) -> Option<TopicUse<'_>> {
        let mut kept = lock(&self.kept);
        let publisher = Arc::clone(kept.get(topic)?);
        Some(self.enter(publisher))
    }

    fn forget_unused(&self) {
        lock(&self.kept).forget(|topic| topic.in_flight.load(Ordering::SeqCst) == 0);
    }

    /// Uses a publisher. Called with the lock, so that it is not forgotten meanwhile.
    fn enter(&self, topic: Arc<TopicPublisher>) -> TopicUse<'_> {
        TopicUse {
            is_alone: topic.in_flight.fetch_add(1, Ordering::SeqCst) == 0,
            topics: self,
            topic,
        }
    }
}

impl TopicPublisher {
    fn new(place: OwnedSemaphorePermit) -> Self {
        Self {
            single: OnceLock::new(),
            batching: OnceLock::new(),
            in_flight: AtomicUsize::new(0),
            _place: place,
        }
    }
}

impl TopicUse<'_> {
    /// The publisher that sends each message at once, made with `new` if there is none.
    pub fn single(&self, new: impl FnOnce() -> Publisher) -> &Publisher {
        self.topic.single.get_or_init(new)
    }

    /// The publisher that batches messages, made with `new` if there is none.
    pub fn batching(&self, new: impl FnOnce() -> Publisher) -> &Publisher {
        self.topic.batching.get_or_init(new)
    }
}

impl Drop for TopicUse<'_> {
    fn drop(&mut self) {
        // Sequentially consistent, like the count of those that wait: either this sees that one waits, or that one sees that
        // the publisher is unused.
        let is_last = self.topic.in_flight.fetch_sub(1, Ordering::SeqCst) == 1;
        if is_last && self.topics.waiting.load(Ordering::SeqCst) > 0 {
            self.topics.forget_unused();
        }
    }
}

/// Counts one that waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
