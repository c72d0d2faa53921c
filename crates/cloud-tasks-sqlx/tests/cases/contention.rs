//! Transactions that are refused because of others, and are tried again.

use std::sync::Arc;

use cloud_tasks::idempotency::{Claim, IdempotencyKey, IdempotencyStore};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::SERIALIZABLE;
use super::table::created;
use crate::integration::IdempotencyTable;
use crate::support::database;
use crate::support::store_contract::{KEEP, LEASE, ManualClock, claim};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_effects_at_the_strictest_isolation_none_runs_twice() {
    const EFFECTS: usize = 100;
    let (database, clock) = (database!(), ManualClock::new());
    created(&database).await;
    let pool = database.connected(SERIALIZABLE).await;
    let table = Arc::new(
        IdempotencyTable::new(&pool)
            .retention(KEEP)
            .clock(clock.function()),
    );
    let key = |number| IdempotencyKey::new(format!("charge-{number}"));

    let together = Arc::new(Barrier::new(EFFECTS));
    let mut deliveries = JoinSet::new();
    for number in 0..EFFECTS {
        let (table, together) = (Arc::clone(&table), Arc::clone(&together));
        deliveries.spawn(async move {
            let token = claim(&*table, &key(number)).await;
            together.wait().await;
            table.complete(&key(number), &token).await.unwrap()
        });
    }
    let completed = deliveries.join_all().await;
    clock.advance(LEASE);
    let mut run_twice = 0;
    for number in 0..EFFECTS {
        let again = table.begin(&key(number), LEASE).await.unwrap();
        run_twice += usize::from(again != Claim::Done);
    }

    assert_eq!(completed, [true; EFFECTS]);
    assert_eq!(run_twice, 0);
}
