//! The interface of idempotency stores.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::base::BoxError;
use crate::runtime::idempotency::key::IdempotencyKey;

/// Records which effects have happened and which are in progress; [`MemoryStore`](crate::idempotency::MemoryStore) is
/// one.
///
/// [`begin`](Self::begin) claims an effect. It must be atomic: of any number of callers in any number of processes, one
/// gets [`Claim::Run`]. The claim is then [completed](Self::complete) or [released](Self::release); otherwise it
/// expires with its lease, and the next caller gets it. Implement it for another database:
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
/// use std::time::{Duration, Instant};
/// use cloud_tasks::idempotency::{Claim, ClaimToken, IdempotencyKey, IdempotencyStore, StoreFuture};
/// use cloud_tasks::Runtime;
///
/// enum Entry { Leased(ClaimToken, Instant), Done }
///
/// #[derive(Default)]
/// struct Notebook(Mutex<HashMap<IdempotencyKey, Entry>>);
///
/// impl Notebook {
///     fn settle(&self, key: &IdempotencyKey, token: &ClaimToken, entry: Option<Entry>) -> bool {
///         let Ok(mut entries) = self.0.lock() else { return false };
///         let ours = matches!(entries.get(key), Some(Entry::Leased(by, _)) if by == token);
///         match entry {
///             Some(entry) if ours => drop(entries.insert(key.clone(), entry)),
///             None if ours => drop(entries.remove(key)),
///             _ => {}
///         }
///         ours
///     }
/// }
///
/// impl IdempotencyStore for Notebook {
///     fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim> {
///         Box::pin(async move {
///             let mut entries = self.0.lock().map_err(|error| error.to_string())?;
///             match entries.get(key) {
///                 Some(Entry::Done) => return Ok(Claim::Done),
///                 Some(Entry::Leased(_, until)) if *until > Instant::now() => return Ok(Claim::InProgress),
///                 _ => {}
///             }
///             let token = ClaimToken::random();
///             entries.insert(key.clone(), Entry::Leased(token.clone(), Instant::now() + lease));
///             Ok(Claim::Run(token))
///         })
///     }
///
///     fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
///         Box::pin(async move { Ok(self.settle(key, token, Some(Entry::Done))) })
///     }
///
///     fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()> {
///         Box::pin(async move { Ok(drop(self.settle(key, token, None))) })
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
pub trait IdempotencyStore: Send + Sync + 'static {
    /// Claims an effect for as long as `lease`, unless it has happened or somebody else has claimed it.
    ///
    /// # Errors
    ///
    /// If the store fails. The effect does not run; a claim that was made nevertheless expires with its lease.
    fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim>;

    /// Records that the effect of a claim happened. Returns `false` if the claim had expired, so that the effect may
    /// happen again.
    ///
    /// The store decides how long it keeps the record. An expired claim that nobody else has taken may still be
    /// completed.
    ///
    /// # Errors
    ///
    /// If the store fails: the record may or may not have been written.
    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool>;

    /// Releases a claim whose effect did not happen. An expired claim is ignored.
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

    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        (**self).complete(key, token)
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
    /// The effect is yours: run it, then complete or release the claim with this token.
    Run(ClaimToken),
    /// The effect has happened.
    Done,
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
        Self(Uuid::new_v4().simple().to_string().into())
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
