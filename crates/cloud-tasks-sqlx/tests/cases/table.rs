//! The table as an idempotency store.

use std::sync::Arc;

use cloud_tasks::idempotency::IdempotencyStore;

use super::queries::number;
use super::{Database, Db};
use crate::integration::IdempotencyTable;
use crate::support::database;
use crate::support::deliveries::assert_once_each;
use crate::support::store_contract::{KEEP, LEASE, ManualClock, StoreUnderTest, claim, store_contract};

store_contract!(table);

mod unprepared {
    use super::*;

    store_contract!(table);

    async fn table() -> Option<StoreUnderTest> {
        let (clock, database) = (ManualClock::new(), Database::new().await?);
        let table = created(&database).await.retention(KEEP).clock(clock.function());
        Some(StoreUnderTest::new(Arc::new(table.unprepared()), clock, database))
    }
}

async fn table() -> Option<StoreUnderTest> {
    let (clock, database) = (ManualClock::new(), Database::new().await?);
    let table = created(&database).await.retention(KEEP).clock(clock.function());
    Some(StoreUnderTest::new(Arc::new(table), clock, database))
}

pub(crate) async fn created(database: &Database) -> IdempotencyTable<Db> {
    let table = IdempotencyTable::new(&database.pool);
    table.create().await.unwrap();
    table
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_effect_happens_once_in_thousands_of_deliveries_with_duplicates() {
    let database = database!();
    assert_once_each(created(&database).await, 1000).await;
}

#[tokio::test]
async fn purging_deletes_expired_rows_only() {
    let (database, clock) = (database!(), ManualClock::new());
    let table = created(&database).await.retention(KEEP).clock(clock.function());
    let rows = async || number(&database.pool, "SELECT count(*) FROM cloud_tasks_effects").await;
    let done = "done".into();
    let token = claim(&table, &done).await;
    table.complete(&done, &token).await.unwrap();
    let lost = claim(&table, &"lost".into()).await;

    // The runs of a claim that has ended still count.
    clock.advance(LEASE);
    table.purge().await.unwrap();
    let after_the_lease: i64 = rows().await;
    clock.advance(KEEP);
    table.purge().await.unwrap();
    let after_all: i64 = rows().await;
    let completed = table.complete(&"lost".into(), &lost).await.unwrap();

    assert_eq!((after_the_lease, after_all, completed), (2, 0, true));
}

#[tokio::test]
async fn a_table_is_created_once_with_the_configured_name() {
    let database = database!();
    let table = created(&database).await.table("effects_of_jobs").unwrap();

    table.create().await.unwrap();
    table.create().await.unwrap();
    claim(&table, &"charge-7".into()).await;
    let refused = table.clone().table("effects; DROP TABLE users").unwrap_err();

    let rows = number(&database.pool, "SELECT count(*) FROM effects_of_jobs").await;
    assert_eq!(rows, 1);
    assert!(refused.is_invalid_request());
    assert!(
        refused.to_string().contains("letters, digits and `_`"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_unreachable_database_is_an_error() {
    let database = database!();
    let table = created(&database).await;
    let key = "charge-7".into();
    let token = claim(&table, &key).await;

    database.pool.close().await;

    assert!(table.begin(&key, LEASE).await.is_err());
    assert!(table.renew(&key, &token, LEASE).await.is_err());
    assert!(table.complete(&key, &token).await.is_err());
    assert!(table.bury(&key, &token).await.is_err());
    assert!(table.release(&key, &token).await.is_err());
    assert!(table.purge().await.is_err());
    assert!(table.create().await.is_err());
}
