//! Published messages that are not yet acknowledged.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::backend::local::push_queue::PushQueue;
use crate::base::{Error, Push};

/// A message on its way to a subscription.
///
/// It is stored here and not in its task, which holds at most one megabyte.
pub(crate) struct Delivery {
    pub queue: Arc<PushQueue>,
    pub push: Push,
    /// The number of this delivery, starting at 1; 0 before the first.
    pub number: u32,
}

/// A queue and an ordering key, whose messages are delivered in order.
type Lane = (String, String);

impl Delivery {
    fn lane(&self) -> Option<Lane> {
        let key = self.push.ordering_key.as_ref()?;
        self.queue
            .subscription
            .ordering
            .then(|| (self.queue.id.clone(), key.clone()))
    }
}

#[derive(Default)]
struct State {
    stopped: bool,
    messages: HashMap<String, Delivery>,
    /// The messages that wait behind the one in progress. Without one in progress there is no lane.
    lanes: HashMap<Lane, VecDeque<String>>,
}

/// All messages in delivery, by the relay's path for them.
pub(crate) struct Unacked {
    state: Mutex<State>,
    /// The number of messages; `None` when the engine has stopped.
    count: watch::Sender<Option<usize>>,
}

impl Unacked {
    pub fn new() -> Self {
        Self {
            state: Mutex::default(),
            count: watch::Sender::new(Some(0)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Inserts a message. Returns `true` if it must be delivered now, `false` if another one goes first.
    pub fn insert(&self, path: &str, delivery: Delivery) -> Result<bool, Error> {
        let mut state = self.lock();
        if state.stopped {
            return Err(Error::unreachable("the local engine has stopped"));
        }
        let behind = delivery
            .lane()
            .is_some_and(|lane| match state.lanes.get_mut(&lane) {
                Some(waiting) => {
                    waiting.push_back(path.to_owned());
                    true
                }
                None => {
                    state.lanes.insert(lane, VecDeque::new());
                    false
                }
            });
        state.messages.insert(path.to_owned(), delivery);
        self.count.send_replace(Some(state.messages.len()));
        Ok(!behind)
    }

    /// Counts a delivery, and returns the message; `None` if there is nothing left to do.
    pub fn begin(&self, path: &str) -> Option<Delivery> {
        let mut state = self.lock();
        let delivery = state.messages.get_mut(path)?;
        delivery.number += 1;
        Some(Delivery {
            queue: Arc::clone(&delivery.queue),
            push: delivery.push.clone(),
            number: delivery.number,
        })
    }

    /// Removes a message, and returns the one that waited for it.
    pub fn remove(&self, path: &str) -> Option<(String, Arc<PushQueue>)> {
        let mut state = self.lock();
        let delivery = state.messages.remove(path)?;
        let next = delivery.lane().and_then(|lane| {
            let next = state.lanes.get_mut(&lane)?.pop_front();
            if next.is_none() {
                state.lanes.remove(&lane);
            }
            next
        });
        self.count.send_replace(Some(state.messages.len()));
        Some((next?, delivery.queue))
    }

    /// Waits until there are none. Returns `false` if the engine has stopped instead.
    pub async fn none_left(&self) -> bool {
        let mut count = self.count.subscribe();
        let seen = count.wait_for(|count| count.is_none_or(|count| count == 0)).await;
        seen.is_ok_and(|count| count.is_some())
    }

    /// Removes all messages and accepts no more.
    pub fn stop(&self) {
        *self.lock() = State {
            stopped: true,
            ..State::default()
        };
        self.count.send_replace(None);
    }
}
