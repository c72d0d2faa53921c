//! What only `PostgreSQL` does.

use cloud_tasks::Runtime;

use super::queries::{execute, number};
use super::transaction::{insert_user, users, welcome};
use crate::integration::{CommitError, Transaction};
use crate::support::database;

#[tokio::test]
async fn a_transaction_with_a_failed_statement_is_not_committed_with_or_without_something_to_send() {
    for sends in [true, false] {
        let database = database!();
        users(&database).await;
        let (runtime, recorder) = Runtime::recorded().build().await.unwrap();

        let mut tx = Transaction::begin(&database.pool).await.unwrap();
        insert_user(&mut tx, 7).await;
        if sends {
            welcome(&mut tx, &runtime, 7);
        }
        execute(&mut tx, "SELECT 1 / 0").await.unwrap_err();
        let error = tx.commit().await.unwrap_err();

        assert!(matches!(error, CommitError::NotCommitted(_)), "{error:?}");
        assert_eq!(number(&database.pool, "SELECT count(*) FROM users").await, 0);
        assert_eq!(recorder.envelopes().len(), 0);
    }
}
