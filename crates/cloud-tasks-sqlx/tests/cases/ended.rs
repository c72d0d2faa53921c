//! Transactions that are over before they are committed.

use cloud_tasks::Runtime;
use cloud_tasks::testing::Recorder;

use super::queries::{execute, number};
use super::transaction::{insert_user, users, welcome};
use super::{Connection, Database, Db};
use crate::integration::{CommitError, Transaction};
use crate::sqlx::Pool;
use crate::support::database;

/// Commits a transaction after `disturb`, with a task to send or without.
async fn commit_after(
    pool: &Pool<Db>,
    runtime: &Runtime,
    sends: bool,
    disturb: impl AsyncFnOnce(&mut Connection),
) -> CommitError {
    let mut tx = Transaction::begin(pool).await.unwrap();
    insert_user(&mut tx, 7).await;
    if sends {
        welcome(&mut tx, runtime, 7);
    }
    disturb(&mut tx).await;
    tx.commit().await.unwrap_err()
}

async fn prepared() -> Option<(Database, Runtime, Recorder)> {
    let database = Database::new().await?;
    users(&database).await;
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    Some((database, runtime, recorder))
}

pub(crate) async fn assert_ended(statements: &[&str], users_left: i64) {
    for sends in [true, false] {
        let Some((database, runtime, recorder)) = prepared().await else {
            return;
        };

        let error = commit_after(&database.pool, &runtime, sends, async |connection| {
            for statement in statements {
                execute(connection, statement).await.unwrap();
            }
        })
        .await;

        let CommitError::Ended { hooks, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(hooks.len(), usize::from(sends));
        assert!(!error.is_committed());
        assert!(error.to_string().contains("had ended before `commit`"), "{error}");
        assert_eq!(recorder.envelopes().len(), 0);
        assert_eq!(
            number(&database.pool, "SELECT count(*) FROM users").await,
            users_left
        );
    }
}

#[tokio::test]
async fn a_manual_rollback_is_an_error_at_the_commit() {
    assert_ended(&["ROLLBACK"], 0).await;
}

#[tokio::test]
async fn a_manual_commit_is_an_error_at_the_commit() {
    assert_ended(&["COMMIT"], 1).await;
}

#[tokio::test]
async fn another_transaction_in_its_place_is_not_committed() {
    assert_ended(&["ROLLBACK", "BEGIN", "INSERT INTO users (id) VALUES (8)"], 0).await;
}

#[tokio::test]
async fn a_savepoint_of_a_transaction_that_has_ended_is_an_error() {
    let Some((database, runtime, recorder)) = prepared().await else {
        return;
    };

    let mut tx = Transaction::begin(&database.pool).await.unwrap();
    let mut savepoint = tx.savepoint().await.unwrap();
    welcome(&mut savepoint, &runtime, 7);
    execute(&mut savepoint, "ROLLBACK").await.unwrap();
    let inner = savepoint.commit().await.unwrap_err();
    let outer = tx.commit().await.unwrap_err();

    assert!(matches!(inner, CommitError::Ended { .. }), "{inner:?}");
    assert!(matches!(outer, CommitError::Ended { .. }), "{outer:?}");
    assert_eq!(recorder.envelopes().len(), 0);
}

#[tokio::test]
async fn the_connection_of_a_transaction_that_had_ended_is_used_again() {
    let database = database!();
    users(&database).await;
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    let mut connection = database.pool.acquire().await.unwrap();

    let mut tx = Transaction::begin_on(&mut *connection).await.unwrap();
    execute(&mut tx, "COMMIT").await.unwrap();
    tx.commit().await.unwrap_err();
    let mut tx = Transaction::begin_on(&mut *connection).await.unwrap();
    insert_user(&mut tx, 7).await;
    welcome(&mut tx, &runtime, 7);
    tx.commit().await.unwrap();

    assert_eq!(number(&database.pool, "SELECT count(*) FROM users").await, 1);
    assert_eq!(recorder.envelopes().len(), 1);
}
