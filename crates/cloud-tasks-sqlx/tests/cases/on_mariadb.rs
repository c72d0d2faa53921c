//! What only `MariaDB` does.

use cloud_tasks::Runtime;

use super::ended::assert_ended;
use super::queries::{execute, number, run};
use super::transaction::{insert_user, users, welcome};
use crate::integration::{CommitError, Transaction};
use crate::support::database;

#[tokio::test]
async fn a_statement_that_commits_implicitly_is_an_error_at_the_commit() {
    assert_ended(&["CREATE TABLE other (id INTEGER)"], 1).await;
}

#[tokio::test]
async fn a_deadlock_that_is_swallowed_is_an_error_at_the_commit() {
    for sends in [true, false] {
        let database = database!();
        users(&database).await;
        run(&database.pool, "INSERT INTO users SELECT seq FROM seq_100_to_200").await;
        let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
        let mut rival = database.pool.begin().await.unwrap();
        // The server rolls back the transaction that has changed less.
        execute(&mut rival, "UPDATE users SET id = id + 1000 WHERE id > 101")
            .await
            .unwrap();

        let mut tx = Transaction::begin(&database.pool).await.unwrap();
        insert_user(&mut tx, 7).await;
        execute(&mut tx, "DELETE FROM users WHERE id = 100")
            .await
            .unwrap();
        if sends {
            welcome(&mut tx, &runtime, 7);
        }
        let rival = tokio::spawn(async move {
            execute(&mut rival, "DELETE FROM users WHERE id = 100")
                .await
                .unwrap();
            rival.rollback().await.unwrap();
        });
        let deadlock = execute(&mut tx, "DELETE FROM users WHERE id = 150")
            .await
            .unwrap_err();
        insert_user(&mut tx, 8).await;
        let error = tx.commit().await.unwrap_err();
        rival.await.unwrap();

        assert!(deadlock.to_string().contains("1213"), "{deadlock}");
        assert!(matches!(error, CommitError::Ended { .. }), "{error:?}");
        // What follows the deadlock is committed statement by statement.
        assert_eq!(number(&database.pool, "SELECT min(id) FROM users").await, 8);
        assert_eq!(recorder.envelopes().len(), 0);
    }
}
