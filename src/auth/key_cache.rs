//! A cache of signing keys that refreshes in the background, one fetch at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::auth::Refusal;
use crate::auth::jwks::Key;
use crate::auth::jwks_client::Source;
use crate::base::process;
use crate::base::text::error_chain;

/// When keys are fetched, and how long expired keys stay in use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// The minimum interval between the starts of two fetches.
    pub min_refresh_interval: Duration,
    /// How long keys stay in use after they have expired.
    pub max_key_age: Duration,
}

/// The keys of one response.
pub(crate) struct KeySet {
    keys: HashMap<String, Key>,
    fresh_until: Instant,
    usable_until: Instant,
    /// How often a key was withdrawn. Tokens that were verified in an earlier epoch must be verified again.
    pub epoch: u64,
}

impl KeySet {
    pub fn get(&self, id: &str) -> Option<&Key> {
        self.keys.get(id)
    }

    /// Whether every key of another set is also in this one.
    fn has_all_of(&self, other: &Self) -> bool {
        other.keys.iter().all(|(id, key)| self.keys.get(id) == Some(key))
    }
}

/// The key cache. A read waits for a fetch only if its key is unknown.
pub(crate) struct Keys {
    shared: Arc<Shared>,
}

struct Shared {
    /// `None` if the keys are fixed.
    source: Option<Source>,
    timing: Timing,
    /// A reader holds its lock only while it clones the pointer.
    current: watch::Sender<Option<Arc<KeySet>>>,
    fetch: Mutex<Fetch>,
}

/// The current or the last fetch.
#[derive(Default)]
struct Fetch {
    /// Closed when the fetch ends, with or without success.
    running: Option<Running>,
    not_before: Option<Instant>,
}

/// A fetch that runs. Those that wait for it go on in the order in which they came, so that a simulation repeats it.
#[derive(Clone)]
struct Running(Arc<Semaphore>);

impl Default for Running {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Running {
    fn has_ended(&self) -> bool {
        self.0.is_closed()
    }

    async fn ended(&self) {
        // No permit ever comes: this returns an error when the semaphore is closed.
        let _ = self.0.acquire().await;
    }
}

/// Ends a fetch when it is dropped.
struct Ends(Running);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.0.close();
    }
}

impl Keys {
    pub fn new(source: Source, timing: Timing) -> Self {
        Self::from_parts(Some(source), timing, None)
    }

    /// Fixed keys, which are never fetched.
    #[cfg(feature = "testing")]
    pub fn fixed(keys: HashMap<String, Key>, timing: Timing) -> Self {
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
            current: watch::Sender::new(current),
            fetch: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    fn current(&self) -> Option<Arc<KeySet>> {
        self.read(Arc::clone)
    }

    /// Reads the keys if they are still usable. Starts a refresh if one is due, and does not wait for it.
    pub fn read<R>(&self, look: impl FnOnce(&Arc<KeySet>) -> R) -> Option<R> {
        let set = self.shared.current()?;
        let now = Instant::now();
        if now >= set.fresh_until
            // The holder of the lock is about to start the refresh.
            && let Ok(fetch) = self.shared.fetch.try_lock()
        {
            self.shared.start(fetch);
        }
        (now < set.usable_until).then(|| look(&set))
    }

    /// Fetches the keys, before the first of them is needed. A failure does not delay the next fetch.
    pub fn prefetch(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            let running = shared.start(shared.fetch());
            if let Some(running) = running {
                running.ended().await;
            }
            if shared.current().is_none() {
                shared.fetch().not_before = None;
            }
        }
    }

    /// The keys, including this one. If it is unknown, waits for a fetch that is due or in progress.
    pub async fn with(&self, id: &str) -> Result<Arc<KeySet>, Refusal> {
        let before = self.current();
        if let Some(set) = before.clone().filter(|set| set.get(id).is_some()) {
            return Ok(set);
        }
        let running = self.shared.start(self.shared.fetch());
        if let Some(running) = running {
            running.ended().await;
        }
        let pause = self.shared.timing.min_refresh_interval;
        let set = self.current().ok_or(Refusal::NoKeys(pause))?;
        if set.get(id).is_some() {
            return Ok(set);
        }
        let is_newer = before.is_none_or(|before| !Arc::ptr_eq(&before, &set));
        if is_newer || self.shared.source.is_none() {
            Err(Refusal::UnknownKey)
        } else {
            // It may be a key that is newer than ours: somebody else used up the fetch, or it failed.
            Err(Refusal::KeyNotFetched(pause))
        }
    }
}

impl Shared {
    fn current(&self) -> Option<Arc<KeySet>> {
        self.current.borrow().clone()
    }

    fn fetch(&self) -> MutexGuard<'_, Fetch> {
        self.fetch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a fetch, unless one is in progress or just ended. Returns a receiver for the end of the one in progress.
    fn start(self: &Arc<Self>, mut fetch: MutexGuard<'_, Fetch>) -> Option<Running> {
        self.source.as_ref()?;
        let running = fetch.running.as_ref().filter(|running| !running.has_ended());
        if let Some(running) = running {
            return Some(running.clone());
        }
        let now = Instant::now();
        if fetch.not_before.is_some_and(|instant| now < instant) {
            return None;
        }
        fetch.not_before = Some(now + self.timing.min_refresh_interval);
        let running = Running::default();
        let ended = Ends(running.clone());
        fetch.running = Some(running.clone());
        let shared = Arc::clone(self);
        // A task of its own: the first caller may disconnect while others still wait for the fetch.
        process::spawn(async move {
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
                tracing::error!(url = %source, error = %error_chain(&*error), "fetching the signing keys failed");
                return;
            }
        };
        let before = self.current();
        let fresh_until = Instant::now() + max_age;
        let mut set = KeySet {
            keys,
            fresh_until,
            usable_until: fresh_until + self.timing.max_key_age,
            epoch: 0,
        };
        if let Some(before) = before {
            set.epoch = before.epoch + u64::from(!set.has_all_of(&before));
        }
        tracing::debug!(url = %source, keys = set.keys.len(), ?max_age, "fetched the signing keys");
        self.current.send_replace(Some(Arc::new(set)));
    }
}
