//! The publishers of the topics that were used last.
//!
//! Google's client runs two tasks for a publisher, for as long as the publisher exists. So a service whose topics have many
//! names cannot keep one for each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use google_cloud_pubsub::client::Publisher;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::backend::google::publish::session::lock;

/// The maximum number of topics with a publisher.
pub(super) const MAX_TOPICS: usize = 256;

/// The publishers of up to [`MAX_TOPICS`] topics, without ordering keys. Unused ones make room for others.
pub(super) struct Topics {
    /// A place for each topic, which is free again when its last message has its response.
    places: Arc<Semaphore>,
    kept: Mutex<Kept>,
    /// How many messages wait for a place.
    waiting: AtomicUsize,
}

/// By full path. Two maps are a list of the least recently used without its bookkeeping.
#[derive(Default)]
struct Kept {
    recent: HashMap<String, Arc<TopicPublisher>>,
    /// Those that were not used since `recent` was last empty.
    older: HashMap<String, Arc<TopicPublisher>>,
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
            kept: Mutex::default(),
            waiting: AtomicUsize::new(0),
        }
    }
}

impl Topics {
    /// The publisher of a topic. Waits while as many other topics have messages in flight.
    pub async fn get(&self, path: &str) -> TopicUse<'_> {
        if let Some(kept) = self.kept(path) {
            return kept;
        }
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = match place {
            Ok(place) => Some(place),
            Err(_) => {
                let _waiting = Waiting::new(&self.waiting);
                lock(&self.kept).forget_unused();
                // Never closed.
                Arc::clone(&self.places).acquire_owned().await.ok()
            }
        };
        let Some(place) = place else {
            return std::future::pending().await;
        };
        let mut kept = lock(&self.kept);
        // Another message may have been faster.
        let topic = kept
            .get(path)
            .unwrap_or_else(|| kept.insert(path, TopicPublisher::new(place)));
        self.enter(topic)
    }

    fn kept(&self, path: &str) -> Option<TopicUse<'_>> {
        let mut kept = lock(&self.kept);
        let topic = kept.get(path)?;
        Some(self.enter(topic))
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

impl Kept {
    fn get(&mut self, path: &str) -> Option<Arc<TopicPublisher>> {
        if let Some(topic) = self.recent.get(path) {
            return Some(Arc::clone(topic));
        }
        let (path, topic) = self.older.remove_entry(path)?;
        Some(self.insert(path, topic))
    }

    fn insert(
        &mut self,
        path: impl Into<String>,
        topic: impl Into<Arc<TopicPublisher>>,
    ) -> Arc<TopicPublisher> {
        if self.recent.len() >= MAX_TOPICS / 2 {
            self.older = std::mem::take(&mut self.recent);
        }
        let topic = topic.into();
        self.recent.insert(path.into(), Arc::clone(&topic));
        topic
    }

    /// Forgets the publishers that no message uses; the older ones, if there are such.
    fn forget_unused(&mut self) {
        for topics in [&mut self.older, &mut self.recent] {
            let before = topics.len();
            topics.retain(|_, topic| topic.in_flight.load(Ordering::SeqCst) > 0);
            if topics.len() < before {
                return;
            }
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
            lock(&self.topics.kept).forget_unused();
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
