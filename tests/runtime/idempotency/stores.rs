//! The store in memory: what every store has to do, and what it does besides.

use std::sync::Arc;

use cloud_tasks::idempotency::{Claim, IdempotencyKey, IdempotencyStore, MemoryStore};

use crate::support::store_contract::{KEEP, LEASE, ManualClock, StoreUnderTest, claim, store_contract};

store_contract!(in_memory);

#[allow(clippy::unused_async, reason = "every store is awaited")]
async fn in_memory() -> StoreUnderTest {
    let clock = ManualClock::new();
    let store = MemoryStore::new().retention(KEEP).clock(clock.function());
    StoreUnderTest::new(Arc::new(store), clock, ())
}

#[tokio::test]
async fn a_full_store_in_memory_forgets_its_oldest_record_and_no_claim_in_progress() {
    let store = MemoryStore::new().capacity(3);
    let under_way = claim(&store, &"under way".into()).await;

    for number in 0..100 {
        let key = IdempotencyKey::new(number.to_string());
        let token = claim(&store, &key).await;
        store.complete(&key, &token).await.unwrap();
    }

    assert_eq!(store.len(), 4);
    assert_eq!(
        store.begin(&"under way".into(), LEASE).await.unwrap(),
        Claim::InProgress
    );
    for (number, done) in [(96, false), (97, true), (98, true), (99, true)] {
        let key = IdempotencyKey::new(number.to_string());
        let claim = store.begin(&key, LEASE).await.unwrap();
        assert_eq!(claim == Claim::Done, done, "{number}");
    }
    assert!(store.complete(&"under way".into(), &under_way).await.unwrap());
}

#[tokio::test]
async fn the_store_in_memory_forgets_everything_after_its_retention() {
    let clock = ManualClock::new();
    let store = MemoryStore::new().retention(KEEP).clock(clock.function());
    for number in 0..300 {
        let key = IdempotencyKey::new(number.to_string());
        let token = claim(&store, &key).await;
        match number % 3 {
            0 => assert!(store.complete(&key, &token).await.unwrap()),
            1 => store.release(&key, &token).await.unwrap(),
            _ => {}
        }
    }

    let all = store.len();
    clock.advance(LEASE);
    // The runs of what has not succeeded are still counted.
    let without_leases = store.len();
    clock.advance(KEEP);

    assert_eq!((all, without_leases, store.len()), (300, 300, 0));
    assert!(store.is_empty());
}
