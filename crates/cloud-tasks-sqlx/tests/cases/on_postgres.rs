//! What only `PostgreSQL` does.

use std::sync::Arc;

use cloud_tasks::Runtime;
use cloud_tasks::idempotency::IdempotencyStore;
use tokio::task::JoinSet;

use super::queries::{execute, number, run, text};
use super::table::created;
use super::transaction::{insert_user, users, welcome};
use crate::integration::{CommitError, IdempotencyTable, Transaction};
use crate::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use crate::support::deliveries::assert_once_each;
use crate::support::store_contract::{LEASE, claim};
use crate::support::{self, database};

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

#[tokio::test]
async fn a_claim_leaves_the_lock_timeout_of_its_transaction_and_of_its_session_as_it_was() {
    let database = database!();
    let table = created(&database).await;
    let mut shown = Vec::new();

    for own in ["0", "7s"] {
        let mut tx = Transaction::begin(&database.pool).await.unwrap();
        execute(&mut tx, &format!("SET LOCAL lock_timeout = '{own}'"))
            .await
            .unwrap();
        table.claim_in(&mut tx, format!("booking-{own}")).await.unwrap();
        let refused = format!(
            "DO $$ BEGIN IF current_setting('lock_timeout') <> '{own}' THEN RAISE 'changed'; END IF; END $$"
        );
        shown.push(execute(&mut tx, &refused).await.is_ok());
        tx.commit().await.unwrap();
    }
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with((*database.pool.connect_options()).clone())
        .await
        .unwrap();
    let table = IdempotencyTable::new(&pool);
    let token = claim(&table, &"charge-7".into()).await;
    table.complete(&"charge-7".into(), &token).await.unwrap();

    assert_eq!(shown, [true, true]);
    assert_eq!(text(&pool, "SHOW lock_timeout").await, "0");
}

#[tokio::test]
async fn a_purge_deletes_a_thousand_rows_at_a_time_and_waits_for_no_lock() {
    let database = database!();
    let table = created(&database).await;
    run(&database.pool, super::MANY_ROWS).await;
    run(
        &database.pool,
        "CREATE TABLE deletions (deleted BIGINT);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO deletions SELECT count(*) FROM gone; RETURN NULL; END $$;
         CREATE TRIGGER note AFTER DELETE ON cloud_tasks_effects REFERENCING OLD TABLE AS gone
         FOR EACH STATEMENT EXECUTE FUNCTION note()",
    )
    .await;
    let mut other = database.pool.begin().await.unwrap();
    execute(
        &mut other,
        "SELECT * FROM cloud_tasks_effects WHERE effect = 'expired/7' FOR UPDATE",
    )
    .await
    .unwrap();

    table.purge().await.unwrap();

    assert_eq!(
        number(&database.pool, "SELECT count(*) FROM cloud_tasks_effects").await,
        1
    );
    assert_eq!(
        number(&database.pool, "SELECT max(deleted) FROM deletions").await,
        1000
    );
    assert_eq!(
        number(&database.pool, "SELECT sum(deleted)::bigint FROM deletions").await,
        2499
    );
    other.rollback().await.unwrap();
}

/// Claims of rows that one statement deletes would wait for its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn claims_of_expired_keys_go_on_while_many_rows_are_purged() {
    const ROWS: i64 = 20_000;
    let database = database!();
    let table = created(&database).await;
    let fill = format!(
        "INSERT INTO cloud_tasks_effects SELECT 'expired/' || n, 't', 0, 1, 0, 1 FROM generate_series(1, {ROWS}) AS n"
    );
    run(&database.pool, &fill).await;
    let expired = "SELECT count(*) FROM cloud_tasks_effects WHERE expires_at_ms = 1";

    let purging = tokio::spawn({
        let table = table.clone();
        async move { table.purge().await }
    });
    let (mut claimed, mut left_after_a_claim) = (0, Vec::new());
    while !purging.is_finished() {
        // From the end, where the purge comes last.
        claim(&table, &format!("expired/{}", ROWS - claimed).into()).await;
        claimed += 1;
        left_after_a_claim.push(number(&database.pool, expired).await);
    }
    purging.await.unwrap().unwrap();

    let halfway = left_after_a_claim
        .iter()
        .filter(|left| (1..ROWS / 2).contains(*left));
    assert!(halfway.count() > 0, "{claimed} claims");
    assert_eq!(number(&database.pool, expired).await, 0);
    assert_eq!(
        number(&database.pool, "SELECT count(*) FROM cloud_tasks_effects").await,
        claimed
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_table_behind_a_transaction_pooler_works_without_prepared_statements() {
    let Some(url) = support::server("CLOUD_TASKS_TEST_PGBOUNCER") else {
        return;
    };
    let database = database!();
    let schema = text(&database.pool, super::SCHEMA_OF_TABLES).await;
    // More connections than the pooler has to the server.
    let pool = PgPoolOptions::new()
        .max_connections(16)
        .connect_with(
            url.parse::<PgConnectOptions>()
                .unwrap()
                .statement_cache_capacity(0),
        )
        .await
        .unwrap();
    let table = IdempotencyTable::new(&pool)
        .table(&format!("{schema}.effects"))
        .unwrap();
    let table = table.unprepared();
    table.create().await.unwrap();

    assert_once_each(table.clone(), 100).await;
    let table = Arc::new(table);
    let mut claims = JoinSet::new();
    for number in 0..64 {
        let (table, pool) = (Arc::clone(&table), pool.clone());
        claims.spawn(async move {
            let mut tx = Transaction::begin(&pool).await.unwrap();
            let first = table
                .claim_in(&mut tx, format!("booking-{}", number / 2))
                .await
                .unwrap();
            tx.commit().await.unwrap();
            first
        });
    }
    let first = claims.join_all().await.into_iter().filter(|first| *first).count();
    table.purge().await.unwrap();

    assert_eq!(first, 32);
    assert!(table.is_done("booking-7").await.unwrap());
    assert!(table.begin(&"booking-7".into(), LEASE).await.is_ok());
}
