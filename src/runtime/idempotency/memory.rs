//! An idempotency store in memory.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use crate::base::Clock;
use crate::runtime::idempotency::key::IdempotencyKey;
use crate::runtime::idempotency::store::{Claim, ClaimToken, IdempotencyStore, StoreFuture};

/// Longer than any retention: a thousand years.
const INDEFINITELY: Duration = Duration::from_secs(1000 * 365 * 24 * 60 * 60);
/// About 20 MB.
const CAPACITY: usize = 100_000;

/// An idempotency store in memory, for tests and for a service with one instance that may forget at a restart.
///
/// Clones share their records. An effect is remembered for 7 days. Beyond 100,000 effects the oldest is dropped, and a
/// warning is logged. For several instances use `IdempotencyTable` of the crate `cloud-tasks-sqlx`, or implement
/// [`IdempotencyStore`].
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use cloud_tasks::idempotency::MemoryStore;
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// static CHARGED: AtomicU32 = AtomicU32::new(0);
///
/// #[derive(Serialize, Deserialize)]
/// struct ChargeToll { invoice: u64 }
///
/// #[task(idempotent)]
/// impl Task for ChargeToll {
///     async fn run(self, _cx: Context) -> TaskResult {
///         CHARGED.fetch_add(1, Ordering::Relaxed);
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let runtime = Runtime::eager().idempotency(MemoryStore::new()).build().await?;
/// for _ in 0..2 {
///     ChargeToll { invoice: 7 }.asap().task_id("invoice-7").on(&runtime).await?;      // as a delivery that is repeated
/// }
/// assert_eq!(CHARGED.load(Ordering::Relaxed), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    entries: Arc<Mutex<Entries>>,
    /// The clock that was set, if any.
    clock: Option<Clock>,
    /// The clock of the runtime that uses the store.
    runtime_clock: Arc<OnceLock<Clock>>,
    retention: Duration,
    capacity: usize,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<IdempotencyKey, Entry>,
    /// Claims in the order they were made, and completed effects in the order they were completed. The next to expire
    /// is always in front, so nothing is searched.
    claims: VecDeque<Due>,
    done: VecDeque<Due>,
    told_full: bool,
}

struct Entry {
    token: ClaimToken,
    done: bool,
    until: SystemTime,
}

/// When an entry expires, unless it was replaced since.
struct Due {
    key: IdempotencyKey,
    token: ClaimToken,
    until: SystemTime,
}

impl MemoryStore {
    /// How long a completed effect is remembered by default: 7 days.
    ///
    /// As long as Pub/Sub keeps a message by default, and longer than most queues retry. The table of
    /// `cloud-tasks-sqlx` uses it too.
    pub const DEFAULT_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    /// Creates an empty store.
    pub fn new() -> Self {
        Self {
            entries: Arc::default(),
            clock: None,
            runtime_clock: Arc::default(),
            retention: Self::DEFAULT_RETENTION,
            capacity: CAPACITY,
        }
    }

    /// Sets how long a completed effect is remembered.
    ///
    /// Make it longer than the queue and the subscription retry.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Sets the maximum number of remembered effects. Claims in progress are always remembered.
    pub fn capacity(mut self, effects: usize) -> Self {
        self.capacity = effects;
        self
    }

    /// Sets the clock for leases and retention.
    ///
    /// The default is the clock of the runtime that the store was given to (of the first one, if there are several), and
    /// the system clock without a runtime.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use std::time::{Duration, SystemTime};
    /// use cloud_tasks::idempotency::{Claim, IdempotencyStore, MemoryStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::BoxError> {
    /// let seconds = Arc::new(AtomicU64::new(0));
    /// let hand = Arc::clone(&seconds);
    /// let store = MemoryStore::new()
    ///     .clock(move || SystemTime::UNIX_EPOCH + Duration::from_secs(hand.load(Ordering::Relaxed)));
    ///
    /// let key = "charge-7".into();
    /// let lease = Duration::from_secs(60);
    /// assert!(matches!(store.begin(&key, lease).await?, Claim::Run(_)));
    /// assert_eq!(store.begin(&key, lease).await?, Claim::InProgress);
    /// seconds.store(60, Ordering::Relaxed);
    /// assert!(matches!(store.begin(&key, lease).await?, Claim::Run(_)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Some(Clock::new(now));
        self
    }

    /// Follows the clock of a runtime, unless it has a clock or follows another runtime already.
    pub(crate) fn follow(&self, clock: &Clock) {
        self.runtime_clock.get_or_init(|| clock.clone());
    }

    /// The number of remembered effects, including those in progress.
    pub fn len(&self) -> usize {
        self.current().0.by_key.len()
    }

    /// Whether no effect is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries that have not expired, and the current time.
    fn current(&self) -> (MutexGuard<'_, Entries>, SystemTime) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self
            .clock
            .as_ref()
            .or(self.runtime_clock.get())
            .map_or_else(SystemTime::now, Clock::now);
        entries.forget(now);
        (entries, now)
    }
}

impl Entries {
    fn put(&mut self, key: &IdempotencyKey, token: &ClaimToken, done: bool, until: SystemTime) {
        let line = if done { &mut self.done } else { &mut self.claims };
        line.push_back(Due {
            key: key.clone(),
            token: token.clone(),
            until,
        });
        let token = token.clone();
        self.by_key.insert(key.clone(), Entry { token, done, until });
    }

    /// Removes expired entries. Each entry is visited once.
    fn forget(&mut self, now: SystemTime) {
        while let Some(due) = self.claims.front()
            && (due.until <= now || self.is_settled(due))
        {
            let due = self.claims.pop_front();
            self.remove(due, false);
        }
        while self.done.front().is_some_and(|due| due.until <= now) {
            let due = self.done.pop_front();
            self.remove(due, true);
        }
    }

    /// Whether a claim was completed or released, or replaced by another.
    fn is_settled(&self, due: &Due) -> bool {
        let entry = self.by_key.get(&due.key);
        entry.is_none_or(|entry| entry.done || entry.token != due.token)
    }

    /// Removes an entry, unless it has changed since it was queued.
    fn remove(&mut self, due: Option<Due>, done: bool) {
        let Some(Due { key, token, .. }) = due else { return };
        let same = |entry: &Entry| entry.done == done && entry.token == token;
        if self.by_key.get(&key).is_some_and(same) {
            self.by_key.remove(&key);
        }
    }

    /// Makes room for one completed effect.
    fn make_room(&mut self, capacity: usize) {
        while self.done.len() >= capacity.max(1) {
            let oldest = self.done.pop_front();
            self.remove(oldest, true);
            if !self.told_full {
                self.told_full = true;
                tracing::warn!(
                    capacity,
                    "the idempotency store is full and drops the oldest effects early: increase its capacity, or shorten its retention"
                );
            }
        }
    }
}

impl IdempotencyStore for MemoryStore {
    fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim> {
        Box::pin(async move {
            let (mut entries, now) = self.current();
            match entries.by_key.get(key) {
                Some(entry) if entry.until > now && entry.done => return Ok(Claim::Done),
                Some(entry) if entry.until > now => return Ok(Claim::InProgress),
                _ => {}
            }
            let (token, until) = (ClaimToken::random(), after(now, lease));
            entries.put(key, &token, false, until);
            Ok(Claim::Run(token))
        })
    }

    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let (mut entries, now) = self.current();
            // An expired claim that nobody else has taken is still good.
            if entries.by_key.get(key).is_some_and(|entry| entry.token != *token) {
                return Ok(false);
            }
            entries.make_room(self.capacity);
            entries.put(key, token, true, after(now, self.retention));
            Ok(true)
        })
    }

    fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let (mut entries, _) = self.current();
            let ours = |entry: &Entry| !entry.done && entry.token == *token;
            if entries.by_key.get(key).is_some_and(ours) {
                entries.by_key.remove(key);
            }
            Ok(())
        })
    }
}

/// An instant plus a length, limited to the end of time.
fn after(now: SystemTime, length: Duration) -> SystemTime {
    now.checked_add(length)
        .or_else(|| now.checked_add(INDEFINITELY))
        .unwrap_or(now)
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("retention", &self.retention)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
