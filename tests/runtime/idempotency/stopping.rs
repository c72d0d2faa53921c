//! The claims of attempts that a stopping server cuts off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloud_tasks::idempotency::{
    Claim, ClaimToken, IdempotencyKey, IdempotencyStore, MemoryStore, StoreFuture,
};
use serde_json::json;
use tokio::task::yield_now;

use crate::stopping::cut_off;
use crate::support::deliveries::{answer, delivery};

/// A store that takes its time to release a claim, as a database does.
#[derive(Clone)]
struct Slow {
    inner: Arc<MemoryStore>,
    released: Arc<AtomicBool>,
}

impl IdempotencyStore for Slow {
    fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim> {
        self.inner.begin(key, lease)
    }

    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        self.inner.complete(key, token)
    }

    fn renew<'a>(
        &'a self,
        key: &'a IdempotencyKey,
        token: &'a ClaimToken,
        lease: Duration,
    ) -> StoreFuture<'a, bool> {
        self.inner.renew(key, token, lease)
    }

    fn bury<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        self.inner.bury(key, token)
    }

    fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            // More often than the rest of a stop yields.
            for _ in 0..1000 {
                yield_now().await;
            }
            self.inner.release(key, token).await?;
            self.released.store(true, Ordering::SeqCst);
            Ok(())
        })
    }
}

#[tokio::test]
async fn a_claim_is_released_before_the_server_has_stopped() {
    let store = Slow {
        inner: Arc::default(),
        released: Arc::default(),
    };
    let (runtime, effects) = super::runtime(store.clone()).await;
    let body = json!({"how": "hang"});

    cut_off(&runtime, "tasks", "Stumble", &body, || effects.of(0) > 0).await;

    assert!(store.released.load(Ordering::SeqCst));
    // Another instance need not wait for the end of the lease.
    let again = answer(&runtime, delivery("Stumble", "a", &body)).await;
    assert_eq!(again.0, 200);
}
