//! The keys that are in force: kept, refreshed behind the backs of those who read them, and one refresh at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::auth::Refusal;
use crate::auth::jwks::Key;
use crate::auth::jwks_client::Source;

/// When keys are fetched, and for how long old ones serve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// The least time from the start of one fetch to the next.
    pub min_refresh_interval: Duration,
    /// For how long keys serve after they should have been renewed.
    pub max_key_age: Duration,
}

/// The keys of one answer.
pub(crate) struct KeySet {
    keys: HashMap<String, Key>,
    fresh_until: Instant,
    usable_until: Instant,
    /// Counts the times that a key went away: what was checked before that need not hold any more.
    pub epoch: u64,
}

impl KeySet {
    pub(crate) fn get(&self, id: &str) -> Option<&Key> {
        self.keys.get(id)
    }

    /// Whether every key of another set is here too.
    fn has_all_of(&self, other: &Self) -> bool {
        other.keys.iter().all(|(id, key)| self.keys.get(id) == Some(key))
    }
}

/// A cache of keys. Reading never waits for a fetch, unless it is for a key that is not there.
pub(crate) struct Keys {
    shared: Arc<Shared>,
}

struct Shared {
    /// `None` where the keys were given once and for all.
    source: Option<Source>,
    timing: Timing,
    current: ArcSwapOption<KeySet>,
    fetch: Mutex<Fetch>,
}

/// The fetch that runs, or ran last.
#[derive(Default)]
struct Fetch {
    /// Closed when it has ended, however it did.
    running: Option<watch::Receiver<()>>,
    not_before: Option<Instant>,
}

impl Keys {
    pub(crate) fn new(source: Source, timing: Timing) -> Self {
        Self::from_parts(Some(source), timing, None)
    }

    /// Keys that are given once and for all: none is ever fetched.
    #[cfg(feature = "testing")]
    pub(crate) fn fixed(keys: HashMap<String, Key>, timing: Timing) -> Self {
        let end = Instant::now() + crate::base::limits::INDEFINITELY;
        let set = KeySet {
            keys,
            fresh_until: end,
            usable_until: end,
            epoch: 0,
        };
        Self::from_parts(None, timing, Some(Arc::new(set)))
    }

    fn from_parts(source: Option<Source>, timing: Timing, current: Option<Arc<KeySet>>) -> Self {
        let shared = Shared {
            source,
            timing,
            current: ArcSwapOption::new(current),
            fetch: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    fn current(&self) -> Option<Arc<KeySet>> {
        self.read(Arc::clone)
    }

    /// Looks at the keys, where there are some that still serve; starts to renew those that are due, and does not wait.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&Arc<KeySet>) -> R) -> Option<R> {
        let current = self.shared.current.load();
        let set = current.as_ref()?;
        let now = Instant::now();
        if now >= set.fresh_until
            // Whoever holds the lock is about to do the same.
            && let Ok(fetch) = self.shared.fetch.try_lock()
        {
            self.shared.start(fetch);
        }
        (now < set.usable_until).then(|| look(set))
    }

    /// The keys with this one among them; waits for a fetch where it is not, and one is due or under way.
    pub(crate) async fn with(&self, id: &str) -> Result<Arc<KeySet>, Refusal> {
        if let Some(set) = self.current().filter(|set| set.get(id).is_some()) {
            return Ok(set);
        }
        let running = self
            .shared
            .start(self.shared.fetch.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(mut running) = running {
            // Nothing is ever sent: it ends with an error, when the other end is gone.
            let _ = running.changed().await;
        }
        let set = self
            .current()
            .ok_or(Refusal::NoKeys(self.shared.timing.min_refresh_interval))?;
        if set.get(id).is_some() {
            Ok(set)
        } else {
            Err(Refusal::UnknownKey)
        }
    }
}

impl Shared {
    /// Starts a fetch unless one runs or ran a moment ago; gives back what tells the end of the one that runs.
    fn start(self: &Arc<Self>, mut fetch: MutexGuard<'_, Fetch>) -> Option<watch::Receiver<()>> {
        self.source.as_ref()?;
        let running = fetch
            .running
            .as_ref()
            .filter(|running| running.has_changed().is_ok());
        if let Some(running) = running {
            return Some(running.clone());
        }
        let now = Instant::now();
        if fetch.not_before.is_some_and(|instant| now < instant) {
            return None;
        }
        fetch.not_before = Some(now + self.timing.min_refresh_interval);
        let (ended, running) = watch::channel(());
        fetch.running = Some(running.clone());
        let shared = Arc::clone(self);
        // A task of its own: whoever asked first may go away, and others wait too.
        tokio::spawn(async move {
            shared.renew().await;
            drop(ended);
        });
        Some(running)
    }

    async fn renew(&self) {
        let Some(source) = &self.source else {
            return;
        };
        let (keys, max_age) = match source.fetch().await {
            Ok(fetched) => fetched,
            Err(error) => {
                tracing::error!(url = %source, error = %error, "the keys of tokens were not fetched");
                return;
            }
        };
        let before = self.current.load();
        let fresh_until = Instant::now() + max_age;
        let mut set = KeySet {
            keys,
            fresh_until,
            usable_until: fresh_until + self.timing.max_key_age,
            epoch: 0,
        };
        if let Some(before) = before.as_ref() {
            set.epoch = before.epoch + u64::from(!set.has_all_of(before));
        }
        tracing::debug!(url = %source, keys = set.keys.len(), ?max_age, "fetched the keys of tokens");
        self.current.store(Some(Arc::new(set)));
    }
}
