//! The idempotency store of a simulation: that of the user, with the faults of a database on another machine.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::instance::Instance;
use super::world::lock;
use crate::base::BoxError;
use crate::runtime::idempotency::{Claim, ClaimToken, IdempotencyKey, IdempotencyStore, StoreFuture};
use crate::testing::simulation::Fault;

/// How long a call takes, in milliseconds.
const LATENCY: std::ops::Range<u64> = 1..10;

/// A store as one instance sees it.
pub(super) struct SimulatedStore {
    pub store: Arc<dyn IdempotencyStore>,
    pub instance: Arc<Instance>,
}

impl SimulatedStore {
    /// Makes a call, with the faults of this seed.
    async fn call<T>(
        &self,
        what: &str,
        key: &IdempotencyKey,
        call: impl Future<Output = Result<T, BoxError>>,
    ) -> Result<T, BoxError> {
        let world = &self.instance.world;
        let what = format!("{what} of {key}");
        let place = format!("{what}, {}", world.next_number(&what));
        let pause = match world.fault(Fault::StoreSlow, &place, "") {
            Some(mut details) => details.u64(1_000..20_000),
            None => world.number_at(&place, LATENCY),
        };
        self.die(&place, "before").await;
        sleep(Duration::from_millis(pause)).await;
        if world.fault(Fault::StoreFails, &place, "").is_some() {
            return Err("the store is not reachable".into());
        }
        self.instance.alive().await;
        let answer = call.await;
        self.die(&place, "after").await;
        if world.fault(Fault::StoreLost, &place, "").is_some() {
            return Err("the connection to the store was lost".into());
        }
        answer
    }

    /// Ends the process here, if the seed says so.
    async fn die(&self, place: &str, when: &str) {
        let world = &self.instance.world;
        // Nothing replaces the process of the test.
        let Some(service) = world.service_of(&self.instance) else {
            return;
        };
        if world.fault(Fault::Kill, &format!("{when} {place}"), "").is_some() {
            service.kill(&self.instance, &format!("killed {when} {place}"));
        }
        self.instance.alive().await;
    }

    fn seen<R>(&self, note: impl FnOnce(&mut super::checks::Seen) -> R) -> R {
        note(&mut lock(&self.instance.world.seen))
    }
}

impl IdempotencyStore for SimulatedStore {
    fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim> {
        Box::pin(self.call("begin", key, async move {
            let claim = self.store.begin(key, lease).await?;
            if let Claim::Run { .. } = claim
                && self.seen(|seen| seen.is_settled(key.as_str()))
            {
                let text = format!("{key} was claimed again after its end was recorded");
                self.instance.world.problem(text);
            }
            Ok(claim)
        }))
    }

    fn renew<'a>(
        &'a self,
        key: &'a IdempotencyKey,
        token: &'a ClaimToken,
        lease: Duration,
    ) -> StoreFuture<'a, bool> {
        Box::pin(self.call("renew", key, self.store.renew(key, token, lease)))
    }

    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(self.call("complete", key, async move {
            let done = self.store.complete(key, token).await?;
            if done {
                self.seen(|seen| seen.settle(key.as_str()));
            }
            Ok(done)
        }))
    }

    fn bury<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(self.call("bury", key, async move {
            let buried = self.store.bury(key, token).await?;
            if buried {
                self.seen(|seen| seen.settle(key.as_str()));
            }
            Ok(buried)
        }))
    }

    fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()> {
        Box::pin(self.call("release", key, self.store.release(key, token)))
    }
}
