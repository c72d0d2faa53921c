//! What only `MariaDB` does.

use cloud_tasks::Runtime;
use cloud_tasks::idempotency::{Claim, IdempotencyStore};

use super::ended::assert_ended;
use super::queries::{execute, number, run, text};
use super::table::created;
use super::transaction::{insert_user, users, welcome};
use crate::integration::{CommitError, IdempotencyTable, Transaction};
use crate::support::database;
use crate::support::store_contract::{LEASE, claim};

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

#[tokio::test]
async fn the_table_works_with_any_collation_of_the_database_and_of_the_connection() {
    for (character_set, collation) in [
        ("utf8mb4", "utf8mb4_bin"),
        ("utf8mb4", "utf8mb4_general_ci"),
        ("utf8mb4", "utf8mb4_unicode_nopad_ci"),
        ("utf8mb3", "utf8mb3_general_ci"),
        ("utf8mb3", "utf8mb3_bin"),
        ("latin1", "latin1_swedish_ci"),
        ("latin1", "latin1_bin"),
        ("binary", "binary"),
    ] {
        let database = database!();
        let name = text(&database.pool, super::SCHEMA_OF_TABLES).await;
        let alter = format!("ALTER DATABASE {name} CHARACTER SET {character_set} COLLATE {collation}");
        run(&database.pool, &alter).await;
        for names in [
            "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
            "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci",
        ] {
            let pool = database.connected(names).await;
            let table = IdempotencyTable::new(&pool)
                .table(names.rsplit(' ').next().unwrap())
                .unwrap();
            for (protocol, table) in [("prepared", table.clone()), ("text", table.unprepared())] {
                table.create().await.unwrap();
                for key in ["a", "A", "a "] {
                    let key = format!("{protocol} {key}").into();
                    let token = claim(&table, &key).await;
                    assert!(table.complete(&key, &token).await.unwrap(), "{collation} {names}");
                    assert_eq!(
                        table.begin(&key, LEASE).await.unwrap(),
                        Claim::Done,
                        "{collation} {names}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_table_of_a_migration_that_leaves_the_columns_to_a_binary_collation_works() {
    let database = database!();
    run(
        &database.pool,
        "CREATE TABLE cloud_tasks_effects (effect VARCHAR(255) PRIMARY KEY, claim_token CHAR(32) NOT NULL, state BIGINT NOT NULL, \
         runs BIGINT NOT NULL, leased_until_ms BIGINT NOT NULL, expires_at_ms BIGINT NOT NULL) COLLATE utf8mb4_bin",
    )
    .await;
    let table = created(&database).await;

    let token = claim(&table, &"charge-7".into()).await;

    assert!(table.complete(&"charge-7".into(), &token).await.unwrap());
    assert!(table.is_done("charge-7").await.unwrap());
}

#[tokio::test]
async fn a_purge_deletes_a_thousand_rows_at_a_time() {
    let database = database!();
    let table = created(&database).await;
    run(&database.pool, super::MANY_ROWS).await;
    // Within one statement, the time stands still.
    run(&database.pool, "CREATE TABLE deletions (at DATETIME(6))").await;
    run(
        &database.pool,
        "CREATE TRIGGER note AFTER DELETE ON cloud_tasks_effects FOR EACH ROW INSERT INTO deletions VALUES (now(6))",
    )
    .await;

    table.purge().await.unwrap();

    let largest =
        "SELECT max(deleted) FROM (SELECT count(*) AS deleted FROM deletions GROUP BY at) AS statements";
    assert_eq!(number(&database.pool, largest).await, 1000);
    assert_eq!(
        number(&database.pool, "SELECT count(*) FROM deletions").await,
        2500
    );
}
