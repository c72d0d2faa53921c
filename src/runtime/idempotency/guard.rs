//! Guarding an effect: claim it first, and say afterwards how it ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::base::{BoxError, Error, ErrorKind};
use crate::runtime::Inner;
use crate::runtime::idempotency::held::Held;
use crate::runtime::idempotency::key::IdempotencyKey;
use crate::runtime::idempotency::store::{Claim, IdempotencyStore};
use crate::runtime::spawned::Spawned;

/// An effect to be claimed.
#[derive(Clone)]
pub(crate) struct Guard {
    pub store: Arc<dyn IdempotencyStore>,
    pub key: IdempotencyKey,
    /// How long a claim lasts unless it is renewed.
    pub lease: Duration,
    /// Claims and their ends outlive a caller that hangs up, and are waited for when a server stops.
    pub own_work: Spawned,
}

/// The outcome of a claim.
pub(crate) enum Begun {
    /// The effect is ours, and this is the number of its runs.
    Run(Held, u32),
    Done,
    Dead,
    InProgress,
}

impl Guard {
    /// A guard of this effect, in the runtime's idempotency store, if there is one.
    pub fn of(runtime: &Inner, key: IdempotencyKey) -> Option<Self> {
        let store = Arc::clone(runtime.idempotency.as_ref()?);
        Some(Self::in_store(runtime, store, key))
    }

    pub fn in_store(runtime: &Inner, store: Arc<dyn IdempotencyStore>, key: IdempotencyKey) -> Self {
        Self {
            store,
            key,
            lease: runtime.lease,
            own_work: runtime.own_work.clone(),
        }
    }

    /// Claims the effect. A claim that nobody waits for any more is released.
    pub async fn begin(&self, deadline: Instant) -> Result<Begun, BoxError> {
        let guard = self.clone();
        let asked = Instant::now();
        let claim = async move {
            let claim = timeout_at(deadline, guard.store.begin(&guard.key, guard.lease)).await;
            Ok(match claim.map_err(|_| "no response in time")?? {
                Claim::Run { token, runs } => Begun::Run(Held::new(guard, token, asked), runs),
                Claim::Done => Begun::Done,
                Claim::Dead => Begun::Dead,
                Claim::InProgress => Begun::InProgress,
            })
        };
        let claim = self.own_work.spawn(claim.in_current_span());
        claim.ok_or("there is no tokio runtime")?.await?
    }

    /// The error for an effect that another delivery has claimed.
    pub fn busy(key: &IdempotencyKey) -> Error {
        let message = format!("{key} is in progress in another delivery; nothing was run");
        Error::new(ErrorKind::InProgress, message)
    }

    /// The error for a store that failed.
    pub fn unanswered(key: &IdempotencyKey, error: BoxError) -> Error {
        let message = format!("the idempotency store failed, and {key} was not run");
        Error::new(ErrorKind::IdempotencyStore, message).with_source(error)
    }
}
