//! Transactions that send after their commit.

use cloud_tasks::commit::Transactional;
use cloud_tasks::idempotency::MemoryStore;
use cloud_tasks::testing::Recorder;
use cloud_tasks::{PublisherTask, Runtime, Task};

use super::queries::{execute, number, run};
use super::{BEGIN_WRITING, Connection, Database, Db};
use crate::integration::{CommitError, Transaction};
use crate::sqlx::{self, Connection as _, Executor, Pool};
use crate::support::commit::{GreetUser, Shaky, action};
use crate::support::deliveries::Effects;
use crate::support::{Bookkeeper, database};

/// Creates a table of users.
pub(crate) async fn users(database: &Database) {
    run(&database.pool, "CREATE TABLE users (id INTEGER PRIMARY KEY)").await;
}

pub(crate) async fn insert_user(connection: &mut Connection, id: i64) {
    execute(connection, &format!("INSERT INTO users (id) VALUES ({id})"))
        .await
        .unwrap();
}

async fn count_users(pool: &Pool<Db>) -> i64 {
    number(pool, "SELECT count(*) FROM users").await
}

async fn recorded(database: &Database) -> (Pool<Db>, Runtime, Recorder) {
    users(database).await;
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    (database.pool.clone(), runtime, recorder)
}

pub(crate) fn welcome(tx: &mut impl Transactional, runtime: &Runtime, user_id: i64) {
    let email = GreetUser { user_id }.asap();
    email.on(runtime).on_commit(tx).unwrap();
}

#[tokio::test]
async fn a_commit_stores_the_data_and_then_sends() {
    let database = database!();
    let (pool, runtime, recorder) = recorded(&database).await;

    let mut tx = Transaction::begin(&pool).await.unwrap();
    insert_user(&mut tx, 7).await;
    welcome(&mut tx, &runtime, 7);
    action("signup").sync().on(&runtime).on_commit(&mut tx).unwrap();
    let before = recorder.envelopes().len() + recorder.publications().len();
    tx.commit().await.unwrap();

    assert_eq!((before, count_users(&pool).await), (0, 1));
    recorder.assert_enqueued::<GreetUser>(|email| email.user_id == 7);
    assert_eq!(recorder.publications().len(), 1);
}

#[tokio::test]
async fn a_rollback_sends_nothing() {
    let database = database!();
    let (pool, runtime, recorder) = recorded(&database).await;

    let mut tx = Transaction::begin(&pool).await.unwrap();
    insert_user(&mut tx, 7).await;
    welcome(&mut tx, &runtime, 7);
    tx.rollback().await.unwrap();

    assert_eq!((count_users(&pool).await, recorder.envelopes().len()), (0, 0));
}

#[tokio::test]
async fn a_dropped_transaction_sends_nothing() {
    let database = database!();
    let (pool, runtime, recorder) = recorded(&database).await;

    let mut tx = Transaction::begin(&pool).await.unwrap();
    insert_user(&mut tx, 7).await;
    welcome(&mut tx, &runtime, 7);
    drop(tx);

    assert_eq!((count_users(&pool).await, recorder.envelopes().len()), (0, 0));
}

#[tokio::test]
async fn a_failure_to_send_after_the_commit_can_be_retried() {
    let database = database!();
    let pool = database.pool.clone();
    users(&database).await;
    let backend = Shaky::failing(1);
    let runtime = backend
        .builder()
        .state(Effects::default())
        .state(Bookkeeper::idle())
        .idempotency(MemoryStore::new())
        .build()
        .await
        .unwrap();

    let mut tx = Transaction::begin(&pool).await.unwrap();
    insert_user(&mut tx, 7).await;
    welcome(&mut tx, &runtime, 7);
    welcome(&mut tx, &runtime, 8);
    let error = tx.commit().await.unwrap_err();

    assert!(error.is_committed());
    assert_eq!(
        error.to_string(),
        "transaction committed, but 1 of 2 messages could not be sent"
    );
    assert_eq!(count_users(&pool).await, 1);
    let CommitError::NotSent(unsent) = error else {
        panic!("{error:?}");
    };
    unsent.retry().await.unwrap();
    let calls = backend.calls();
    assert_eq!(
        calls.iter().map(|call| call.worked).collect::<Vec<_>>(),
        [false, true, true]
    );
    assert_eq!(calls[2].subject, calls[0].subject);
}

#[tokio::test]
async fn tasks_of_a_savepoint_are_sent_if_it_and_its_transaction_commit() {
    let database = database!();
    let (pool, runtime, recorder) = recorded(&database).await;

    let mut tx = Transaction::begin(&pool).await.unwrap();
    welcome(&mut tx, &runtime, 1);
    let mut released = tx.savepoint().await.unwrap();
    insert_user(&mut released, 2).await;
    welcome(&mut released, &runtime, 2);
    let mut inner = released.savepoint().await.unwrap();
    insert_user(&mut inner, 3).await;
    welcome(&mut inner, &runtime, 3);
    inner.commit().await.unwrap();
    released.commit().await.unwrap();
    let mut rolled_back = tx.savepoint().await.unwrap();
    insert_user(&mut rolled_back, 4).await;
    welcome(&mut rolled_back, &runtime, 4);
    rolled_back.rollback().await.unwrap();
    welcome(&mut tx, &runtime, 5);
    let before = recorder.envelopes().len();
    tx.commit().await.unwrap();

    let sent: Vec<_> = recorder
        .enqueued::<GreetUser>()
        .iter()
        .map(|email| email.user_id)
        .collect();
    assert_eq!((before, count_users(&pool).await), (0, 2));
    assert_eq!(sent, [1, 2, 3, 5]);
}

#[tokio::test]
async fn a_released_savepoint_in_a_rolled_back_transaction_sends_nothing() {
    let database = database!();
    let (pool, runtime, recorder) = recorded(&database).await;

    let mut tx = Transaction::begin(&pool).await.unwrap();
    let mut savepoint = tx.savepoint().await.unwrap();
    welcome(&mut savepoint, &runtime, 1);
    savepoint.commit().await.unwrap();
    tx.rollback().await.unwrap();

    assert_eq!(recorder.envelopes().len(), 0);
}

#[tokio::test]
async fn a_transaction_begins_only_on_a_connection_outside_of_a_transaction() {
    let database = database!();
    let (pool, runtime, recorder) = recorded(&database).await;
    let mut connection = pool.acquire().await.unwrap();

    let mut tx = Transaction::begin_on(&mut *connection).await.unwrap();
    welcome(&mut tx, &runtime, 7);
    tx.commit().await.unwrap();
    let mut outer = connection.begin().await.unwrap();
    let refused = Transaction::begin_on(&mut *outer).await.unwrap_err();

    assert!(refused.to_string().contains("`savepoint()`"), "{refused}");
    assert_eq!(recorder.envelopes().len(), 1);
}

#[tokio::test]
async fn a_transaction_begins_with_a_custom_statement() {
    let database = database!();
    let (pool, runtime, recorder) = recorded(&database).await;

    let mut tx = Transaction::begin_with(&pool, BEGIN_WRITING).await.unwrap();
    insert_user(&mut tx, 7).await;
    welcome(&mut tx, &runtime, 7);
    tx.commit().await.unwrap();

    assert_eq!((count_users(&pool).await, recorder.envelopes().len()), (1, 1));
}

/// Any database of sqlx's, `PostgreSQL` and `MySQL` among them.
async fn signed_up<DB: sqlx::Database>(
    pool: &Pool<DB>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
{
    let mut tx = Transaction::begin(pool).await?;
    tx.as_sqlx().execute("INSERT INTO users (id) VALUES (7)").await?;
    (&mut *tx).execute("INSERT INTO users (id) VALUES (8)").await?;
    action("signup").sync_on_commit(&mut tx)?;
    tx.commit().await?;
    Ok(())
}

#[tokio::test]
async fn a_transaction_is_generic_over_the_database_and_its_future_is_send() {
    let database = database!();
    let (pool, runtime, recorder) = recorded(&database).await;

    let other = pool.clone();
    runtime
        .spawn(async move { signed_up::<Db>(&other).await })
        .await
        .unwrap()
        .unwrap();
    let mut tx = Transaction::begin(&pool).await.unwrap();
    welcome(&mut tx, &runtime, 7);
    runtime.spawn(tx.commit()).await.unwrap().unwrap();

    assert_eq!((count_users(&pool).await, recorder.publications().len()), (2, 1));
    assert_eq!(recorder.envelopes().len(), 1);
}
