//! The messages with an ordering key: which key is next, which one pauses before a retry, and what waits behind it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use google_cloud_pubsub::model::Message;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::backend::google::publish::attempts::{Attempts, Failed, Failure};
use crate::backend::google::publish::connection::{BATCH, Batch};
use crate::backend::google::publish::flights::Flight;
use crate::backend::google::publish::session::lock;

/// How many keys have a request in flight at once: as many as an HTTP/2 connection to Google carries.
const MAX_WORKERS: usize = 100;
/// Memory for so many keys is kept when there are none.
const KEPT_CAPACITY: usize = 1024;

/// A topic's full path, and an ordering key.
pub(super) type Key = (String, String);

/// The keys that have messages, and who works on them. A key without messages has no entry.
#[derive(Default)]
pub(super) struct Queues {
    state: Mutex<State>,
    /// A key is ready, or a worker should look at the pauses.
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// What waits behind the batch of a key. A key with a batch has an entry, even if nothing waits.
    behind: HashMap<Arc<Key>, VecDeque<Waiting>>,
    ready: VecDeque<Job>,
    /// By the end of the pause; the number tells those with the same end apart.
    paused: BTreeMap<(Instant, u64), Job>,
    pauses: u64,
    workers: usize,
}

/// A message that waits for its turn, or for its response.
pub(super) struct Waiting {
    pub message: Message,
    pub done: oneshot::Sender<Result<String, Failed>>,
    pub _flight: Flight,
}

impl Waiting {
    /// Tells the caller the result, who may have gone.
    pub fn end(self, result: Result<String, Failed>) {
        let _ = self.done.send(result);
    }
}

/// The batch of a key, and its attempts so far. Only one worker has it.
pub(super) struct Job {
    pub key: Arc<Key>,
    /// The messages to publish, in order.
    pub batch: VecDeque<Waiting>,
    pub mode: Batch,
    /// How many messages an attempt without a clear response contained.
    pub unclear: usize,
    /// Begins with the first attempt.
    pub attempts: Option<Attempts>,
}

/// What a worker does next.
pub(super) enum Turn {
    Publish(Job),
    /// Waits for the end of a pause, or for a change.
    WaitUntil(Instant),
    End,
}

impl Job {
    fn new(key: Arc<Key>) -> Self {
        Self {
            key,
            batch: VecDeque::new(),
            mode: Batch::Shared,
            unclear: 0,
            attempts: None,
        }
    }
}

impl Queues {
    /// Adds a message, and says whether one more worker is needed.
    pub fn push(&self, key: Key, waiting: Waiting) -> bool {
        let mut state = lock(&self.state);
        if let Some(behind) = state.behind.get_mut(&key) {
            behind.push_back(waiting);
            return false;
        }
        let key = Arc::new(key);
        state.behind.insert(Arc::clone(&key), VecDeque::from([waiting]));
        state.ready.push_back(Job::new(key));
        let is_needed = state.workers < MAX_WORKERS;
        state.workers += usize::from(is_needed);
        drop(state);
        self.changed.notify_one();
        is_needed
    }

    /// What a worker does next. It is no longer counted if that is nothing.
    pub fn turn(&self) -> Turn {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let due = state.paused.first_key_value().map(|(&(end, _), _)| end);
        let paused = match due.filter(|end| *end <= Instant::now()) {
            Some(_) => state.paused.pop_first().map(|(_, job)| job),
            None => None,
        };
        let Some(mut job) = paused.or_else(|| state.ready.pop_front()) else {
            return match due {
                Some(end) => Turn::WaitUntil(end),
                None => {
                    state.workers -= 1;
                    Turn::End
                }
            };
        };
        if job.batch.is_empty()
            && let Some(behind) = state.behind.get_mut(&*job.key)
        {
            let count = behind.len().min(BATCH as usize);
            job.batch.extend(behind.drain(..count));
        }
        Turn::Publish(job)
    }

    /// Waits until a key is ready.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Takes back a job whose batch is not done, or whose key may have more messages.
    pub fn put_back(&self, job: Job) {
        let mut state = lock(&self.state);
        if !job.batch.is_empty() {
            state.ready.push_back(job);
        } else if state
            .behind
            .get(&*job.key)
            .is_some_and(|behind| !behind.is_empty())
        {
            state.ready.push_back(Job::new(job.key));
        } else {
            state.remove(&job.key);
        }
    }

    /// Takes back a job that is tried again at this time.
    pub fn pause(&self, job: Job, end: Instant) {
        let mut state = lock(&self.state);
        state.pauses += 1;
        let number = state.pauses;
        state.paused.insert((end, number), job);
    }

    /// Ends the work on a key, and gives back the messages behind its batch.
    pub fn remove(&self, key: &Key) -> VecDeque<Waiting> {
        lock(&self.state).remove(key)
    }

    /// A worker was dropped. If nobody is left to send the messages, these are their last results.
    pub fn worker_is_gone(&self) {
        let (jobs, behind) = {
            let mut state = lock(&self.state);
            state.workers -= 1;
            if state.workers > 0 {
                return;
            }
            let state = std::mem::take(&mut *state);
            let jobs: Vec<_> = state
                .ready
                .into_iter()
                .chain(state.paused.into_values())
                .collect();
            (jobs, state.behind)
        };
        let result = |is_unclear| Failed {
            failure: Failure::NoRuntime,
            may_have_taken_effect: is_unclear,
        };
        for job in jobs {
            for (place, waiting) in job.batch.into_iter().enumerate() {
                waiting.end(Err(result(place < job.unclear)));
            }
        }
        for waiting in behind.into_values().flatten() {
            waiting.end(Err(result(false)));
        }
    }
}

impl State {
    fn remove(&mut self, key: &Key) -> VecDeque<Waiting> {
        let behind = self.behind.remove(key).unwrap_or_default();
        if self.behind.is_empty() && self.behind.capacity() > KEPT_CAPACITY {
            self.behind = HashMap::new();
            self.ready = VecDeque::new();
        }
        behind
    }
}
