//! Deleting what has expired.

use cloud_tasks::idempotency::IdempotencyStore;

use super::MANY_ROWS;
use super::queries::{number, run};
use super::table::created;
use crate::support::database;
use crate::support::store_contract::{KEEP, ManualClock, claim};

#[tokio::test]
async fn thousands_of_expired_rows_are_purged_and_nothing_else() {
    let (database, clock) = (database!(), ManualClock::new());
    let table = created(&database).await.retention(KEEP).clock(clock.function());
    // Their expiry is long past.
    run(&database.pool, MANY_ROWS).await;
    let key = "charge-7".into();
    let token = claim(&table, &key).await;
    table.complete(&key, &token).await.unwrap();
    let before = number(&database.pool, "SELECT count(*) FROM cloud_tasks_effects").await;

    table.purge().await.unwrap();

    assert_eq!(before, 2501);
    assert_eq!(
        number(&database.pool, "SELECT count(*) FROM cloud_tasks_effects").await,
        1
    );
    assert!(table.is_done("charge-7").await.unwrap());
}

#[tokio::test]
async fn an_effect_is_done_when_it_is_completed_or_committed_and_remembered() {
    let (database, clock) = (database!(), ManualClock::new());
    let table = created(&database).await.retention(KEEP).clock(clock.function());
    let mut done = Vec::new();

    done.push(table.is_done("never").await.unwrap());
    let key = "charge-7".into();
    let token = claim(&table, &key).await;
    done.push(table.is_done("charge-7").await.unwrap());
    table.complete(&key, &token).await.unwrap();
    done.push(table.is_done("charge-7").await.unwrap());
    let dead = "dead".into();
    let token = claim(&table, &dead).await;
    table.bury(&dead, &token).await.unwrap();
    done.push(table.is_done("dead").await.unwrap());
    let mut tx = database.pool.begin().await.unwrap();
    table.claim_in(&mut tx, "booking-7").await.unwrap();
    done.push(table.is_done("booking-7").await.unwrap());
    tx.commit().await.unwrap();
    done.push(table.is_done("booking-7").await.unwrap());
    clock.advance(KEEP);
    done.push(table.is_done("charge-7").await.unwrap());

    assert_eq!(done, [false, false, true, false, false, true, false]);
}
