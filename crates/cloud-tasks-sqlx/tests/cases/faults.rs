//! Connections that are lost, and locks that are held, on servers with sessions.

use std::sync::Arc;
use std::time::Duration;

use cloud_tasks::ErrorKind;
use cloud_tasks::idempotency::{Claim, ClaimToken, IdempotencyKey, IdempotencyStore};
use tokio::time::sleep;
use uuid::Uuid;

use super::queries::{execute, number, run};
use super::{Database, Db, KILL, SESSION, WAITING_SESSION};
use crate::integration::{IdempotencyTable, Transaction};
use crate::sqlx::Pool;
use crate::support::database;
use crate::support::store_contract::{KEEP, LEASE, ManualClock, claim};

/// Waits until a query finds a number other than 0. What it looks at happens in another session, which tells nobody.
async fn eventually(pool: &Pool<Db>, text: &str) -> i64 {
    loop {
        match number(pool, text).await {
            0 => sleep(Duration::from_millis(5)).await,
            found => return found,
        }
    }
}

/// Kills the session of an operation on a claim that waits for a lock, and returns what became of the operation.
async fn killed_during<T: Send + 'static>(
    database: &Database,
    name: &str,
    operation: impl Future<Output = T> + Send + 'static,
) -> T {
    let mut other = database.pool.begin().await.unwrap();
    execute(&mut other, &format!("SELECT * FROM {name} FOR UPDATE"))
        .await
        .unwrap();

    let operation = tokio::spawn(operation);
    let session = eventually(&database.pool, &WAITING_SESSION.replace("TABLE", name)).await;
    run(&database.pool, &KILL.replace("ID", &session.to_string())).await;
    let gone = format!("SELECT 1 - ({})", SESSION.replace("ID", &session.to_string()));
    eventually(&database.pool, &gone).await;
    other.rollback().await.unwrap();
    operation.await.unwrap()
}

/// A table whose name no other test has, with a claim.
async fn claimed(
    database: &Database,
    clock: &ManualClock,
) -> (Arc<IdempotencyTable<Db>>, String, IdempotencyKey, ClaimToken) {
    let name = format!("t{}", Uuid::new_v4().simple());
    let table = IdempotencyTable::new(&database.pool).table(&name).unwrap();
    let table = table.retention(KEEP).clock(clock.function());
    table.create().await.unwrap();
    let key = IdempotencyKey::new("charge-7");
    let token = claim(&table, &key).await;
    (Arc::new(table), name, key, token)
}

#[tokio::test]
async fn a_connection_that_is_killed_during_complete_is_replaced() {
    let (database, clock) = (database!(), ManualClock::new());
    let (table, name, key, token) = claimed(&database, &clock).await;

    let (store, completed) = (Arc::clone(&table), key.clone());
    let complete = async move { store.complete(&completed, &token).await.unwrap() };
    let completed = killed_during(&database, &name, complete).await;

    assert!(completed);
    assert_eq!(table.begin(&key, LEASE).await.unwrap(), Claim::Done);
}

#[tokio::test]
async fn a_connection_that_is_killed_during_release_is_replaced() {
    let (database, clock) = (database!(), ManualClock::new());
    let (table, name, key, token) = claimed(&database, &clock).await;

    let (store, released) = (Arc::clone(&table), key.clone());
    let release = async move { store.release(&released, &token).await.unwrap() };
    killed_during(&database, &name, release).await;

    assert!(matches!(
        table.begin(&key, LEASE).await.unwrap(),
        Claim::Run { runs: 2, .. }
    ));
}

#[tokio::test]
async fn a_connection_that_is_killed_during_begin_is_replaced() {
    let (database, clock) = (database!(), ManualClock::new());
    let (table, name, key, _token) = claimed(&database, &clock).await;
    clock.advance(LEASE);

    let (store, claimed) = (Arc::clone(&table), key.clone());
    let begin = async move { store.begin(&claimed, LEASE).await.unwrap() };
    let claim = killed_during(&database, &name, begin).await;

    assert!(matches!(claim, Claim::Run { runs: 2, .. }), "{claim:?}");
    assert_eq!(table.begin(&key, LEASE).await.unwrap(), Claim::InProgress);
}

#[tokio::test]
async fn a_claim_does_not_wait_for_another_transaction_for_ever() {
    let database = database!();
    let table = IdempotencyTable::new(&database.pool).lock_timeout(Duration::from_millis(100));
    table.create().await.unwrap();

    let mut first = Transaction::begin(&database.pool).await.unwrap();
    let claimed = table.claim_in(&mut first, "booking-7").await.unwrap();
    let mut second = Transaction::begin(&database.pool).await.unwrap();
    let error = table.claim_in(&mut second, "booking-7").await.unwrap_err();
    second.rollback().await.unwrap();
    first.commit().await.unwrap();

    assert!(claimed);
    assert_eq!(error.kind(), ErrorKind::InProgress);
    assert!(error.to_string().contains("did not end in time"), "{error}");
    assert!(table.is_done("booking-7").await.unwrap());
}

#[tokio::test]
async fn a_store_goes_on_when_the_lock_that_it_waits_for_is_released() {
    let (database, clock) = (database!(), ManualClock::new());
    let (table, name, key, token) = claimed(&database, &clock).await;
    let table = Arc::new(IdempotencyTable::clone(&table).lock_timeout(Duration::from_millis(50)));
    let mut other = database.pool.begin().await.unwrap();
    execute(&mut other, &format!("SELECT * FROM {name} FOR UPDATE"))
        .await
        .unwrap();

    let (store, completed) = (Arc::clone(&table), key.clone());
    let complete = tokio::spawn(async move { store.complete(&completed, &token).await.unwrap() });
    let waiting = WAITING_SESSION.replace("TABLE", &name);
    // It waits, gives up, and waits again.
    eventually(&database.pool, &waiting).await;
    eventually(
        &database.pool,
        &format!("SELECT count(*) FROM (SELECT ({waiting}) AS id) AS ids WHERE id = 0"),
    )
    .await;
    eventually(&database.pool, &waiting).await;
    other.rollback().await.unwrap();

    assert!(complete.await.unwrap());
    assert_eq!(
        number(
            &database.pool,
            &format!("SELECT count(*) FROM {name} WHERE state = 1")
        )
        .await,
        1
    );
}
