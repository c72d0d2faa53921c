//! Where it is written down what ran.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::base::BoxError;
use crate::runtime::idempotency::key::IdempotencyKey;

/// Remembers which effects happened, and which are under way; [`MemoryStore`](crate::idempotency::MemoryStore) is one.
///
/// An effect is claimed by [`begin`](Self::begin), which must be atomic: of any number of callers, in any number of
/// processes, one gets [`Claim::Run`]. Then it is [completed](Self::complete) or [released](Self::release). A claim of
/// which neither is heard ends by itself after its lease, and the next caller gets it. Write your own for another database:
///
/// ```standalone_crate
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
    /// Claims an effect for as long as `lease`, unless it happened or somebody else has it.
    ///
    /// # Errors
    ///
    /// When the store gives no answer: the effect does not run. Where it was claimed all the same, its lease ends that.
    fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim>;

    /// Writes down that the effect of a claim happened; `false` where the claim had ended, so that it may happen again.
    ///
    /// What is written down is kept for as long as the store says. A claim that ended and that nobody else got meanwhile may
    /// be completed still.
    ///
    /// # Errors
    ///
    /// When the store gives no answer: it may be written down or not.
    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool>;

    /// Gives a claim back, whose effect did not happen; one that ended by itself is left alone.
    ///
    /// # Errors
    ///
    /// When the store gives no answer: the claim ends with its lease.
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

/// What an [`IdempotencyStore`] returns.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send + 'a>>;

/// What comes of the wish to run an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is yours: run it, then complete or release what this token stands for.
    Run(ClaimToken),
    /// It happened.
    Done,
    /// Somebody else has claimed it, and the lease has not ended.
    InProgress,
}

/// Stands for one claim, so that whoever lost it to another cannot settle theirs.
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
    /// A token that there is no other of.
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
