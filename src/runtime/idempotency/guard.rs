//! Guarding an effect: claim it first, complete it afterwards, release it if the attempt is interrupted.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Instrument;

use crate::base::text::{error_chain, safe};
use crate::base::{BoxError, Error, ErrorKind, TaskError};
use crate::registry::AttemptError;
use crate::runtime::idempotency::key::IdempotencyKey;
use crate::runtime::idempotency::store::{Claim, ClaimToken, IdempotencyStore};

/// How far the clocks of instances may differ: a lease is longer than its effect by this much.
const MARGIN: Duration = Duration::from_secs(30);
/// The timeout of recording an outcome, which delays the response.
const SETTLE: Duration = Duration::from_secs(10);
/// The result of an effect that does not run again.
const NOTHING: &[u8] = b"null";

/// An effect to be claimed.
pub(crate) struct Guard {
    pub store: Arc<dyn IdempotencyStore>,
    pub key: IdempotencyKey,
}

/// A claimed effect. Dropping it before it is settled releases it, because the attempt was interrupted.
pub(crate) struct Held {
    claim: Option<(Guard, ClaimToken)>,
}

/// The outcome of a claim.
pub(crate) enum Begun {
    Run(Held),
    Done,
    InProgress,
}

impl Guard {
    /// Claims the effect until the deadline plus a margin.
    pub async fn begin(self, deadline: Instant) -> Result<Begun, BoxError> {
        let lease = deadline.saturating_duration_since(Instant::now()) + MARGIN;
        let claim = timeout_at(deadline, self.store.begin(&self.key, lease)).await;
        match claim.map_err(|_| "no response in time")?? {
            Claim::Run { token, .. } => Ok(Begun::Run(Held {
                claim: Some((self, token)),
            })),
            Claim::Done | Claim::Dead => Ok(Begun::Done),
            Claim::InProgress => Ok(Begun::InProgress),
        }
    }

    /// Runs an attempt, unless an earlier one has completed the effect.
    pub async fn run(
        self,
        deadline: Instant,
        attempt: impl Future<Output = Result<Vec<u8>, AttemptError>>,
    ) -> Result<Vec<u8>, AttemptError> {
        let key = self.key.clone();
        let held = match self.begin(deadline).await {
            Ok(Begun::Run(held)) => held,
            Ok(Begun::Done) => {
                tracing::info!(key = %safe(key.as_str()), "already done; this delivery does nothing");
                return Ok(NOTHING.to_vec());
            }
            Ok(Begun::InProgress) => return Err(AttemptError::InProgress),
            Err(error) => return Err(AttemptError::Store(error)),
        };
        let outcome = attempt.await;
        if happened(&outcome) {
            held.complete().await;
        } else {
            held.release().await;
        }
        outcome
    }
}

/// Whether the effect happened: the task succeeded, even if its output does not serialize, or it discarded itself.
fn happened(outcome: &Result<Vec<u8>, AttemptError>) -> bool {
    matches!(
        outcome,
        Ok(_) | Err(AttemptError::Output(_) | AttemptError::Task(TaskError::Discard(_)))
    )
}

impl Held {
    /// Records that the effect happened. A failure is only logged, because a retry would repeat the effect.
    pub async fn complete(mut self) {
        let Some((guard, token)) = self.claim.take() else {
            return;
        };
        let key = guard.key.clone();
        // In its own task, so that a client that disconnects does not cancel it.
        let write = async move { guard.store.complete(&guard.key, &token).await };
        let written = tokio::spawn(timeout(SETTLE, write).in_current_span()).await;
        match written {
            Ok(Ok(Ok(true))) => {}
            Ok(Ok(Ok(false))) => tracing::error!(
                key = %safe(key.as_str()),
                "the lease ended before the effect did, so another delivery may have run it as well"
            ),
            Ok(Ok(Err(error))) => lost(&key, &*error),
            Ok(Err(late)) => lost(&key, &late),
            Err(panic) => lost(&key, &panic),
        }
    }

    /// Releases the claim, so that a retry need not wait for the end of the lease.
    pub async fn release(mut self) {
        if let Some((guard, token)) = self.claim.take() {
            let released = tokio::spawn(release(guard, token).in_current_span());
            // It logs its own failure.
            let _ = released.await;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some((guard, token)) = self.claim.take()
            && let Ok(tokio) = Handle::try_current()
        {
            tokio.spawn(release(guard, token).in_current_span());
        }
    }
}

async fn release(guard: Guard, token: ClaimToken) {
    let released = timeout(SETTLE, guard.store.release(&guard.key, &token)).await;
    let error = match released {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(late) => late.into(),
    };
    tracing::warn!(key = %safe(guard.key.as_str()), error = %error_chain(&*error), "not released; retries are refused until the lease ends");
}

fn lost(key: &IdempotencyKey, error: &(dyn std::error::Error + 'static)) {
    tracing::error!(key = %safe(key.as_str()), error = %error_chain(error), "the effect happened, and it may not be written down: another delivery would run it again");
}

impl Guard {
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
