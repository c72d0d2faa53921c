//! A constraint that is checked at the commit, on the databases that have one.

use cloud_tasks::Runtime;

use super::queries::{execute, number};
use crate::integration::{CommitError, Transaction};
use crate::support::database;

use super::transaction::{insert_user, users, welcome};

#[tokio::test]
async fn a_failed_commit_sends_nothing() {
    let database = database!();
    users(&database).await;
    let posts = "CREATE TABLE posts (author INTEGER REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED)";
    execute(&mut database.pool.acquire().await.unwrap(), posts)
        .await
        .unwrap();
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();

    let mut tx = Transaction::begin(&database.pool).await.unwrap();
    insert_user(&mut tx, 7).await;
    execute(&mut tx, "INSERT INTO posts (author) VALUES (8)")
        .await
        .unwrap();
    welcome(&mut tx, &runtime, 7);
    let error = tx.commit().await.unwrap_err();

    assert!(!error.is_committed());
    assert_eq!(
        error.to_string(),
        "the transaction is not committed, and nothing was sent"
    );
    assert!(
        matches!(&error, CommitError::NotCommitted(source) if source.to_string().to_lowercase().contains("foreign key")),
        "{error:?}"
    );
    assert_eq!(number(&database.pool, "SELECT count(*) FROM users").await, 0);
    assert_eq!(recorder.envelopes().len(), 0);
}
