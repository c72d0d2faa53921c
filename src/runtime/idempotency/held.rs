//! A claim that this process holds: it is renewed until it is settled.

use std::future::pending;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::Instrument;

use crate::base::text::{error_chain, safe};
use crate::base::{BoxError, Error, ErrorKind, process};
use crate::runtime::idempotency::guard::Guard;
use crate::runtime::idempotency::key::IdempotencyKey;
use crate::runtime::idempotency::store::ClaimToken;

/// The timeout of recording an outcome, which delays the response.
const SETTLE: Duration = Duration::from_secs(10);

/// A claimed effect. Dropping it before it is settled releases it, because the attempt was interrupted.
pub(crate) struct Held {
    claim: Option<(Guard, ClaimToken)>,
    lost: oneshot::Receiver<Lost>,
    renewing: AbortHandle,
}

/// Why a claim is not ours any more.
#[derive(Debug)]
pub(crate) enum Lost {
    /// Another delivery has taken it over.
    Taken,
    /// It could not be renewed before its lease ended, so that another delivery may take it over.
    Expired(BoxError),
}

/// How an effect ended.
#[derive(Clone, Copy)]
enum End {
    Done,
    Dead,
}

impl Held {
    /// A claim that was made after this instant. Needs a tokio runtime.
    pub fn new(guard: Guard, token: ClaimToken, asked: Instant) -> Self {
        let (losing, lost) = oneshot::channel();
        // In its own task, so that a handler that blocks its thread does not stop it. It ends with this value.
        let renewing = process::spawn(renew(guard.clone(), token.clone(), asked, losing).in_current_span());
        Self {
            claim: Some((guard, token)),
            lost,
            renewing: renewing.abort_handle(),
        }
    }

    /// Waits until the claim is lost.
    pub async fn lost(&mut self) -> Lost {
        match (&mut self.lost).await {
            Ok(lost) => lost,
            // The runtime ends, and this with it.
            Err(_) => pending().await,
        }
    }

    /// Records that the effect happened. A failure is only logged, because a retry would repeat the effect.
    pub async fn complete(self) {
        self.end(End::Done).await;
    }

    /// Records that the task is dead.
    pub async fn bury(self) {
        self.end(End::Dead).await;
    }

    async fn end(mut self, end: End) {
        self.renewing.abort();
        if let Some((guard, token)) = self.claim.take() {
            let work = settle(guard.clone(), token, end).in_current_span();
            // In its own task, so that a client that disconnects does not cancel it. It logs its own failure.
            if let Some(settled) = guard.own_work.spawn(work)
                && let Err(panic) = settled.await
            {
                end.not_written(&guard, &panic);
            }
        }
    }

    /// Releases the claim, so that a retry need not wait for the end of the lease.
    pub async fn release(mut self) {
        if let Some(released) = self.spawn_release() {
            // It logs its own failure.
            let _ = released.await;
        }
    }

    fn spawn_release(&mut self) -> Option<tokio::task::JoinHandle<()>> {
        self.renewing.abort();
        let (guard, token) = self.claim.take()?;
        let own_work = guard.own_work.clone();
        own_work.spawn(release(guard, token).in_current_span())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.spawn_release();
    }
}

/// Renews a claim at each third of its lease, until it is lost.
async fn renew(guard: Guard, token: ClaimToken, asked: Instant, losing: oneshot::Sender<Lost>) {
    let mut ends = asked + guard.lease;
    let mut last_error: BoxError = "no response in time".into();
    let lost = loop {
        sleep_until((Instant::now() + guard.lease / 3).min(ends)).await;
        let asked = Instant::now();
        if asked >= ends {
            break Lost::Expired(last_error);
        }
        match timeout_at(ends, guard.store.renew(&guard.key, &token, guard.lease)).await {
            Ok(Ok(true)) => ends = asked + guard.lease,
            Ok(Ok(false)) => break Lost::Taken,
            Ok(Err(error)) => {
                tracing::warn!(
                    key = %safe(guard.key.as_str()),
                    error = %error_chain(&*error),
                    "a claim was not renewed; it is tried again until its lease ends"
                );
                last_error = error;
            }
            Err(late) => last_error = late.into(),
        }
    };
    match &lost {
        Lost::Taken => tracing::error!(
            key = %safe(guard.key.as_str()),
            "another delivery has taken the claim over; this run is cancelled"
        ),
        Lost::Expired(error) => tracing::error!(
            key = %safe(guard.key.as_str()),
            error = %error_chain(&**error),
            "the claim was not renewed before its lease ended; this run is cancelled, because another delivery may begin"
        ),
    }
    // Nobody waits if the effect has just ended.
    let _ = losing.send(lost);
}

async fn settle(guard: Guard, token: ClaimToken, end: End) {
    let (store, key) = (&guard.store, &guard.key);
    let settled = async {
        match end {
            End::Done => store.complete(key, &token).await,
            End::Dead => store.bury(key, &token).await,
        }
    };
    match (timeout(SETTLE, settled).await, end) {
        (Ok(Ok(true)), _) => {}
        (Ok(Ok(false)), End::Done) => tracing::error!(
            key = %safe(key.as_str()),
            "the lease ended before the effect did, so another delivery may have run it as well"
        ),
        (Ok(Ok(false)), End::Dead) => tracing::error!(
            key = %safe(key.as_str()),
            "the lease ended before the task was recorded as dead, so another delivery may have run it as well"
        ),
        (Ok(Err(error)), _) => end.not_written(&guard, &*error),
        (Err(late), _) => end.not_written(&guard, &late),
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

impl End {
    fn not_written(self, guard: &Guard, error: &(dyn std::error::Error + 'static)) {
        let (key, error) = (safe(guard.key.as_str()), error_chain(error));
        match self {
            Self::Done => tracing::error!(
                %key, error,
                "the effect happened, and it may not be written down: another delivery would run it again"
            ),
            Self::Dead => tracing::error!(
                %key, error,
                "the task is dead, and that may not be written down: another delivery would run it and its hook again"
            ),
        }
    }
}

impl Lost {
    /// The error of an effect that was cancelled.
    pub fn into_error(self, key: &IdempotencyKey) -> Error {
        match self {
            Self::Taken => Error::new(
                ErrorKind::InProgress,
                format!("another delivery has taken {key} over, and this run of it was cancelled; part of it may have happened"),
            ),
            Self::Expired(error) => Error::unavailable(format!(
                "the claim of {key} could not be renewed, and this run of it was cancelled; part of it may have happened"
            ))
            .with_source(error),
        }
    }
}
