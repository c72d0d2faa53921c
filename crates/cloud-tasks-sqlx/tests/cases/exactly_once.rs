//! Effects in the database that also has the claims: exactly once.

use std::pin::Pin;
use std::sync::Arc;

use cloud_tasks::idempotency::{Claim, IdempotencyStore};
use cloud_tasks::{ErrorKind, Runtime, TaskResult};
use serde_json::json;
use tokio::task::JoinSet;

use super::queries::{execute, number, run};
use super::table::created;
use super::{BEGIN_WRITING, Db};
use crate::integration::{IdempotencyTable, Transaction};
use crate::sqlx::Pool;
use crate::support::deliveries::{answer, delivery};
use crate::support::store_contract::{KEEP, ManualClock};
use crate::support::{Bookings, Bookkeeper, database};

struct Ledger {
    table: IdempotencyTable<Db>,
    pool: Pool<Db>,
}

impl Bookings for Ledger {
    /// Fails half of the time: before the commit, or after it.
    fn book(&self, number: i64) -> Pin<Box<dyn Future<Output = TaskResult> + Send + '_>> {
        Box::pin(async move {
            let mut tx = Transaction::begin_with(&self.pool, BEGIN_WRITING).await?;
            if self.table.claim_in(&mut tx, format!("booking-{number}")).await? {
                execute(
                    &mut tx,
                    &format!("INSERT INTO bookings (number) VALUES ({number})"),
                )
                .await?;
            }
            match fastrand::u8(0..4) {
                0 => Err("crashed before the commit")?,
                1 => {
                    tx.commit().await?;
                    Err("crashed after the commit")?
                }
                _ => Ok(tx.commit().await?),
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_effect_in_the_same_transaction_happens_exactly_once_despite_crashes() {
    const BOOKINGS: i64 = 300;
    let database = database!();
    run(&database.pool, "CREATE TABLE bookings (number INTEGER NOT NULL)").await;
    let ledger = Ledger {
        table: created(&database).await,
        pool: database.pool.clone(),
    };
    let runtime = Runtime::eager()
        .state(Bookkeeper(Arc::new(ledger)))
        .build()
        .await
        .unwrap();

    let mut deliveries = JoinSet::new();
    for number in 0..BOOKINGS {
        for _ in 0..=number % 2 {
            let runtime = runtime.clone();
            deliveries.spawn(async move {
                // Repeats until it succeeds, as a queue does.
                while answer(&runtime, delivery("Book", "a", &json!({ "number": number })))
                    .await
                    .0
                    != 200
                {}
            });
        }
    }
    deliveries.join_all().await;

    let rows = number(&database.pool, "SELECT count(*) FROM bookings").await;
    let booked = number(&database.pool, "SELECT count(DISTINCT number) FROM bookings").await;
    assert_eq!((rows, booked), (BOOKINGS, BOOKINGS));
}

#[tokio::test]
async fn a_claim_is_committed_or_rolled_back_with_its_transaction() {
    let (database, clock) = (database!(), ManualClock::new());
    let table = created(&database).await.retention(KEEP).clock(clock.function());
    let mut claims = Vec::new();

    for commits in [false, true, true] {
        let mut tx = Transaction::begin(&database.pool).await.unwrap();
        claims.push(table.claim_in(&mut tx, "booking-7").await.unwrap());
        if commits {
            tx.commit().await.unwrap();
        }
    }
    clock.advance(KEEP);
    let mut tx = database.pool.begin().await.unwrap();
    claims.push(table.claim_in(&mut tx, "booking-7").await.unwrap());

    assert_eq!(claims, [true, true, false, true]);
}

#[tokio::test]
async fn an_effect_that_is_claimed_elsewhere_is_not_claimed_in_a_transaction() {
    let database = database!();
    let table = created(&database).await;
    let claim = table.begin(&"booking-7".into(), KEEP).await.unwrap();

    let mut tx = Transaction::begin(&database.pool).await.unwrap();
    let error = table.claim_in(&mut tx, "booking-7").await.unwrap_err();
    drop(tx);

    assert!(matches!(claim, Claim::Run { .. }));
    assert_eq!(error.kind(), ErrorKind::InProgress);
}

#[tokio::test]
async fn a_missing_table_is_an_error_with_its_cause() {
    let database = database!();
    let table = IdempotencyTable::new(&database.pool);

    let mut tx = Transaction::begin(&database.pool).await.unwrap();
    let error = table.claim_in(&mut tx, "booking-7").await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::IdempotencyStore);
    assert!(format!("{error:#}").contains("cloud_tasks_effects"), "{error:#}");
}
