//! An idempotency store in memory.

use std::collections::{BTreeMap, HashMap};
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
/// Clones share their records. An effect is remembered for 7 days, and so is the number of its runs. Beyond 100,000 effects
/// the oldest is dropped, and a warning is logged. For several instances use `IdempotencyTable` of the crate `cloud-tasks-sqlx`, or implement
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
    /// The claims whose leases have not ended, by their ends.
    leases: BTreeMap<Due, IdempotencyKey>,
    /// All other entries, by the times at which they are forgotten.
    settled: BTreeMap<Due, IdempotencyKey>,
    /// The number of changes so far, which tells entries with the same time apart.
    changes: u64,
    told_full: bool,
}

struct Entry {
    token: ClaimToken,
    runs: u32,
    state: State,
    due: Due,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Claimed: until its due time if it is among the leases, otherwise the lease has ended.
    Claimed,
    Released,
    Done,
    Dead,
}

/// When a lease ends, or when an entry is forgotten.
type Due = (SystemTime, u64);

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

    /// The memory of the tasks that died in a process without an idempotency store. It is needed until a queue has delivered
    /// the task once more, so its retention is longer than any backoff, and its capacity is small: about 2 MB.
    pub(crate) fn of_dead_tasks() -> Self {
        Self::new()
            .retention(Duration::from_secs(24 * 60 * 60))
            .capacity(10_000)
    }

    /// Sets how long a completed effect, a dead task and the number of runs are remembered.
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
    /// assert!(matches!(store.begin(&key, lease).await?, Claim::Run { runs: 1, .. }));
    /// assert_eq!(store.begin(&key, lease).await?, Claim::InProgress);
    /// seconds.store(60, Ordering::Relaxed);
    /// assert!(matches!(store.begin(&key, lease).await?, Claim::Run { runs: 2, .. }));
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

    /// The number of remembered effects, including those in progress and those that have failed so far.
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
        entries.forget(now, self.retention);
        entries.make_room(self.capacity);
        (entries, now)
    }

    /// Ends a claim, unless somebody else has taken it over; whether it did not. A claim that was forgotten is still good.
    fn settle(&self, key: &IdempotencyKey, token: &ClaimToken, state: State) -> bool {
        let (mut entries, now) = self.current();
        let runs = match entries.by_key.get(key) {
            Some(entry) if entry.token != *token => return false,
            // A call that is repeated, because its response was lost.
            Some(entry) if entry.state != State::Claimed => return entry.state == state,
            entry => entry.map_or(1, |entry| entry.runs),
        };
        let due = after(now, self.retention);
        entries.put(key, token, runs, state, due);
        entries.make_room(self.capacity);
        true
    }
}

impl Entries {
    fn put(&mut self, key: &IdempotencyKey, token: &ClaimToken, runs: u32, state: State, due: SystemTime) {
        self.changes += 1;
        let due = (due, self.changes);
        let entry = Entry {
            token: token.clone(),
            runs,
            state,
            due,
        };
        if let Some(replaced) = self.by_key.insert(key.clone(), entry) {
            self.leases.remove(&replaced.due);
            self.settled.remove(&replaced.due);
        }
        let line = match state {
            State::Claimed => &mut self.leases,
            State::Released | State::Done | State::Dead => &mut self.settled,
        };
        line.insert(due, key.clone());
    }

    /// Moves the claims whose leases have ended to the settled entries, and removes what is past its retention.
    fn forget(&mut self, now: SystemTime, retention: Duration) {
        while let Some(lease) = self.leases.first_entry()
            && lease.key().0 <= now
        {
            let ((ended, number), key) = lease.remove_entry();
            // The number is unique in both lines.
            let due = (after(ended, retention), number);
            if let Some(entry) = self.by_key.get_mut(&key) {
                entry.due = due;
            }
            self.settled.insert(due, key);
        }
        while let Some(oldest) = self.settled.first_entry()
            && oldest.key().0 <= now
        {
            self.by_key.remove(&oldest.remove());
        }
    }

    /// Drops the oldest entries above the capacity. Claims in progress are always kept.
    fn make_room(&mut self, capacity: usize) {
        while self.settled.len() > capacity.max(1)
            && let Some((_, oldest)) = self.settled.pop_first()
        {
            self.by_key.remove(&oldest);
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
            let runs = match entries.by_key.get(key) {
                None => 0,
                Some(entry) => match entry.state {
                    State::Done => return Ok(Claim::Done),
                    State::Dead => return Ok(Claim::Dead),
                    State::Claimed if entries.leases.contains_key(&entry.due) => {
                        return Ok(Claim::InProgress);
                    }
                    State::Claimed | State::Released => entry.runs,
                },
            };
            let (token, runs) = (ClaimToken::random(), runs.saturating_add(1));
            entries.put(key, &token, runs, State::Claimed, after(now, lease));
            Ok(Claim::Run { token, runs })
        })
    }

    fn renew<'a>(
        &'a self,
        key: &'a IdempotencyKey,
        token: &'a ClaimToken,
        lease: Duration,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let (mut entries, now) = self.current();
            let runs = match entries.by_key.get(key) {
                Some(entry) if entry.token == *token && entry.state == State::Claimed => entry.runs,
                _ => return Ok(false),
            };
            entries.put(key, token, runs, State::Claimed, after(now, lease));
            Ok(true)
        })
    }

    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(async move { Ok(self.settle(key, token, State::Done)) })
    }

    fn bury<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(async move { Ok(self.settle(key, token, State::Dead)) })
    }

    fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            // Lost to another caller, it is not ours to release.
            self.settle(key, token, State::Released);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The first claim stays in progress: neither those behind it nor their ends may stay because of it.
    #[tokio::test]
    async fn a_claim_that_runs_long_keeps_nothing_of_those_that_were_made_after_it() {
        let store = MemoryStore::new().capacity(10);
        let lease = Duration::from_secs(3600);
        store.begin(&"long".into(), lease).await.unwrap();

        for number in 0..1000 {
            let key = format!("effect-{number}").into();
            let claim = store.begin(&key, lease).await.unwrap();
            let Claim::Run { token, .. } = claim else {
                panic!("{claim:?}")
            };
            match number % 3 {
                0 => store.release(&key, &token).await.unwrap(),
                1 => assert!(store.bury(&key, &token).await.unwrap()),
                _ => assert!(store.complete(&key, &token).await.unwrap()),
            }
        }

        let (entries, _) = store.current();
        assert_eq!(
            (entries.by_key.len(), entries.leases.len(), entries.settled.len()),
            (11, 1, 10)
        );
    }
}
