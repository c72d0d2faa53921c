//! The interface of idempotency stores.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{BoxError, process};
use crate::runtime::idempotency::key::IdempotencyKey;

/// Records which effects have happened, which are in progress, and which tasks are dead;
/// [`MemoryStore`](crate::idempotency::MemoryStore) is one.
///
/// [`begin`](Self::begin) claims an effect. It must be atomic: of any number of callers in any number of processes, one
/// gets [`Claim::Run`]. The claim is a lease of some seconds, and the runtime [renews](Self::renew) it as long as the
/// effect runs. It ends when it is [completed](Self::complete), [buried](Self::bury) or [released](Self::release), or,
/// if its process died, with its lease; then the next caller gets it.
///
/// Tests of your store can use the runtime's own contract, which is in the repository: `tests/support/store_contract.rs`.
/// Implement it for another database:
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
/// use std::time::{Duration, Instant};
/// use cloud_tasks::idempotency::{Claim, ClaimToken, IdempotencyKey, IdempotencyStore, StoreFuture};
/// use cloud_tasks::Runtime;
///
/// struct Entry { token: ClaimToken, runs: u32, state: State }
///
/// #[derive(Clone, Copy, PartialEq)]
/// enum State { Leased(Instant), Released, Done, Dead }
///
/// #[derive(Default)]
/// struct Notebook(Mutex<HashMap<IdempotencyKey, Entry>>);
///
/// impl Notebook {
///     /// Changes the state of a claim, unless it has ended or somebody else has taken it over.
///     fn change(&self, key: &IdempotencyKey, token: &ClaimToken, state: State) -> bool {
///         let Ok(mut entries) = self.0.lock() else { return false };
///         let Some(entry) = entries.get_mut(key) else { return false };
///         let ours = entry.token == *token && matches!(entry.state, State::Leased(_));
///         if ours {
///             entry.state = state;
///         }
///         ours
///     }
/// }
///
/// impl IdempotencyStore for Notebook {
///     fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim> {
///         Box::pin(async move {
///             let (now, mut runs) = (Instant::now(), 0);
///             let mut entries = self.0.lock().map_err(|error| error.to_string())?;
///             if let Some(entry) = entries.get(key) {
///                 match entry.state {
///                     State::Done => return Ok(Claim::Done),
///                     State::Dead => return Ok(Claim::Dead),
///                     State::Leased(until) if until > now => return Ok(Claim::InProgress),
///                     State::Leased(_) | State::Released => runs = entry.runs,
///                 }
///             }
///             let (token, runs) = (ClaimToken::random(), runs + 1);
///             let state = State::Leased(now + lease);
///             entries.insert(key.clone(), Entry { token: token.clone(), runs, state });
///             Ok(Claim::Run { token, runs })
///         })
///     }
///
///     fn renew<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken, lease: Duration) -> StoreFuture<'a, bool> {
///         Box::pin(async move { Ok(self.change(key, token, State::Leased(Instant::now() + lease))) })
///     }
///
///     fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
///         Box::pin(async move { Ok(self.change(key, token, State::Done)) })
///     }
///
///     fn bury<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
///         Box::pin(async move { Ok(self.change(key, token, State::Dead)) })
///     }
///
///     fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()> {
///         Box::pin(async move { Ok(drop(self.change(key, token, State::Released))) })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let runtime = Runtime::eager().idempotency(Notebook::default()).build().await?;
/// # let _ = runtime;
/// # Ok(())
/// # }
/// ```
#[doc(alias("exactly once", "deduplication"))]
pub trait IdempotencyStore: Send + Sync + 'static {
    /// Claims an effect for as long as `lease`, unless it has happened, it is dead, or somebody else has claimed it.
    ///
    /// It also counts: [`Claim::Run`] says how many claims of this effect there have been. The count is kept when a claim is
    /// released or expires, as long as a completed effect is remembered.
    ///
    /// # Errors
    ///
    /// If the store fails. The effect does not run; a claim that was made nevertheless expires with its lease.
    fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim>;

    /// Extends a claim: it now ends when `lease` has passed. Returns `false` if the claim was lost to another caller.
    ///
    /// The runtime calls this at every third of the lease. An expired claim that nobody else has taken may be renewed.
    ///
    /// # Errors
    ///
    /// If the store fails. The runtime tries again until the lease has ended, and then cancels the effect.
    fn renew<'a>(
        &'a self,
        key: &'a IdempotencyKey,
        token: &'a ClaimToken,
        lease: Duration,
    ) -> StoreFuture<'a, bool>;

    /// Records that the effect of a claim happened. Returns `false` if the claim was lost to another caller, so that the
    /// effect may happen again.
    ///
    /// The store decides how long it keeps the record. An expired claim that nobody else has taken may still be
    /// completed.
    ///
    /// # Errors
    ///
    /// If the store fails: the record may or may not have been written.
    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool>;

    /// Records that the task of a claim is dead: its last attempt has failed, it was recorded, and its hook has run. Later
    /// deliveries get [`Claim::Dead`] and do nothing. Otherwise like [`complete`](Self::complete).
    ///
    /// # Errors
    ///
    /// If the store fails: the record may or may not have been written. If it was not, a further delivery runs the task again.
    fn bury<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool>;

    /// Releases a claim whose effect did not happen, and keeps the count of runs. A claim that was lost is ignored.
    ///
    /// # Errors
    ///
    /// If the store fails: the claim then expires with its lease.
    fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()>;
}

impl<S: IdempotencyStore + ?Sized> IdempotencyStore for Arc<S> {
    fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim> {
        (**self).begin(key, lease)
    }

    fn renew<'a>(
        &'a self,
        key: &'a IdempotencyKey,
        token: &'a ClaimToken,
        lease: Duration,
    ) -> StoreFuture<'a, bool> {
        (**self).renew(key, token, lease)
    }

    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        (**self).complete(key, token)
    }

    fn bury<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        (**self).bury(key, token)
    }

    fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()> {
        (**self).release(key, token)
    }
}

/// The future that an [`IdempotencyStore`] returns.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send + 'a>>;

/// The outcome of [`IdempotencyStore::begin`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The effect is yours: run it, then complete, bury or release the claim.
    Run {
        /// Identifies this claim.
        token: ClaimToken,
        /// The number of claims of this effect so far, including this one. The runtime compares it with the task's
        /// `max_attempts`.
        runs: u32,
    },
    /// The effect has happened.
    Done,
    /// The task is dead: its last attempt has failed, and it was recorded.
    Dead,
    /// Somebody else has claimed it, and the lease has not expired.
    InProgress,
}

/// Identifies one claim, so that a caller who lost it to another cannot settle that one's claim.
///
/// ```
/// use cloud_tasks::idempotency::ClaimToken;
///
/// let token = ClaimToken::random();
/// assert_ne!(token, ClaimToken::random());
/// assert_eq!(token.as_str().len(), 32);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClaimToken(Arc<str>);

impl ClaimToken {
    /// Creates a unique token.
    pub fn random() -> Self {
        Self(process::random_id().simple().to_string().into())
    }

    /// The token as text, for a database: 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClaimToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
