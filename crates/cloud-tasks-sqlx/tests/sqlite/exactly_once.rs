//! Effects in the database that also has the claims: exactly once.

use std::collections::BTreeMap;

use cloud_tasks::idempotency::{Claim, IdempotencyStore};
use cloud_tasks::{Context, ErrorKind, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinSet;

use crate::integration::{IdempotencyTable, Transaction};
use crate::sqlx::{self, Executor, Sqlite};
use crate::support::Database;
use crate::support::deliveries::{answer, delivery};
use crate::support::store_contract::{KEEP, ManualClock};

/// Books a number, and fails half of the time: before the commit, or after it.
#[derive(Deserialize, Serialize)]
struct Book {
    number: i64,
}

#[derive(Clone)]
pub(crate) struct Ledger {
    table: IdempotencyTable<Sqlite>,
    pool: sqlx::SqlitePool,
}

#[task]
impl Task for Book {
    async fn run(self, cx: Context<Ledger>) -> TaskResult {
        let Ledger { table, pool } = cx.state();
        // SQLite cannot turn a reading transaction into a writing one while another one writes.
        let mut tx = Transaction::begin_with(pool, "BEGIN IMMEDIATE").await?;
        if table
            .claim_in(&mut tx, format!("booking-{}", self.number))
            .await?
        {
            sqlx::query("INSERT INTO bookings (number) VALUES (?)")
                .bind(self.number)
                .execute(&mut *tx)
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
    }
}

pub(crate) async fn ledger(database: &Database) -> Ledger {
    let bookings = "CREATE TABLE bookings (number INTEGER NOT NULL)";
    database.pool.execute(bookings).await.unwrap();
    Ledger {
        table: database.table().await,
        pool: database.pool.clone(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_effect_in_the_same_transaction_happens_exactly_once_despite_crashes() {
    const BOOKINGS: i64 = 300;
    let database = Database::new().await;
    let runtime = Runtime::eager()
        .state(ledger(&database).await)
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

    let rows: Vec<(i64, i64)> = sqlx::query_as("SELECT number, count(*) FROM bookings GROUP BY number")
        .fetch_all(&database.pool)
        .await
        .unwrap();
    let booked: BTreeMap<_, _> = rows.into_iter().collect();
    assert_eq!(booked, (0..BOOKINGS).map(|number| (number, 1)).collect());
}

#[tokio::test]
async fn a_claim_is_committed_or_rolled_back_with_its_transaction() {
    let (database, clock) = (Database::new().await, ManualClock::new());
    let table = database.table().await.retention(KEEP).clock(clock.function());
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
    let database = Database::new().await;
    let table = database.table().await;
    let claim = table.begin(&"booking-7".into(), KEEP).await.unwrap();

    let mut tx = Transaction::begin(&database.pool).await.unwrap();
    let error = table.claim_in(&mut tx, "booking-7").await.unwrap_err();
    drop(tx);

    assert!(matches!(claim, Claim::Run { .. }));
    assert_eq!(error.kind(), ErrorKind::InProgress);
}

#[tokio::test]
async fn a_missing_table_is_an_error_with_its_cause() {
    let database = Database::new().await;
    let table = IdempotencyTable::new(&database.pool);

    let mut tx = Transaction::begin(&database.pool).await.unwrap();
    let error = table.claim_in(&mut tx, "booking-7").await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::IdempotencyStore);
    assert!(format!("{error:#}").contains("no such table"), "{error:#}");
}
