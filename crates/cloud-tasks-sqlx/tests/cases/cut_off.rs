//! Commits whose caller is dropped halfway, as the handler of a request is when its client hangs up.

use cloud_tasks::Runtime;
use cloud_tasks::idempotency::MemoryStore;

use super::queries::number;
use super::transaction::{insert_user, users, welcome};
use super::{Database, Db};
use crate::integration::Transaction;
use crate::sqlx::Pool;
use crate::support::commit::{Gradual, dropped_after};
use crate::support::deliveries::Effects;
use crate::support::{Bookkeeper, database};

/// More polls than most of these commits take.
const POLLS: i64 = 40;

async fn gradual(database: &Database) -> (Runtime, Gradual) {
    users(database).await;
    let backend = Gradual::default();
    let runtime = Runtime::builder()
        .backend(backend.clone())
        .allow_unauthenticated()
        .state(Effects::default())
        .state(Bookkeeper::idle())
        .idempotency(MemoryStore::new())
        .build()
        .await
        .unwrap();
    (runtime, backend)
}

/// Whether a user is stored. Not how many are: a `COMMIT` that somebody gave up may arrive in a later round.
async fn committed(pool: &Pool<Db>, id: i64) -> usize {
    let count = number(pool, &format!("SELECT count(*) FROM users WHERE id = {id}")).await;
    count.try_into().unwrap()
}

#[tokio::test]
async fn what_is_committed_is_sent_at_whichever_poll_the_caller_is_dropped() {
    let database = database!();
    let (runtime, backend) = gradual(&database).await;
    let pool = &database.pool;
    let mut outcomes = Vec::new();

    for polls in 0..POLLS {
        let sent = backend.taken().len();
        let mut tx = Transaction::begin(pool).await.unwrap();
        insert_user(&mut tx, polls).await;
        for user_id in 1..=3 {
            welcome(&mut tx, &runtime, user_id);
        }
        let ended = dropped_after(polls.try_into().unwrap(), tx.commit()).await;
        runtime.flush().await;

        let (committed, sent) = (committed(pool, polls).await, backend.taken().len() - sent);
        // Whoever is dropped before the `COMMIT` commits nothing.
        assert!(
            [(0, 0), (1, 3)].contains(&(committed, sent)),
            "{polls} polls: {committed}, {sent}"
        );
        outcomes.push((ended.map(Result::unwrap), committed));
    }

    let dropped = outcomes.iter().filter(|outcome| **outcome == (None, 1)).count();
    assert!(dropped > 3, "{outcomes:?}");
}

#[tokio::test]
async fn a_commit_on_a_connection_sends_at_whichever_poll_the_caller_is_dropped_after_it() {
    let database = database!();
    let (runtime, backend) = gradual(&database).await;
    let pool = &database.pool;
    let mut after = 0;

    for polls in 0..POLLS {
        let sent = backend.taken().len();
        let mut connection = pool.acquire().await.unwrap();
        let mut tx = Transaction::begin_on(&mut *connection).await.unwrap();
        insert_user(&mut tx, polls).await;
        for user_id in 1..=3 {
            welcome(&mut tx, &runtime, user_id);
        }
        let ended = dropped_after(polls.try_into().unwrap(), tx.commit()).await;
        drop(connection);
        runtime.flush().await;

        // Dropped within the `COMMIT`, it sends nothing, which is logged; after it, everything is sent.
        let (committed, sent) = (committed(pool, polls).await, backend.taken().len() - sent);
        assert!(
            sent == 0 || (committed, sent) == (1, 3),
            "{polls} polls: {committed}, {sent}"
        );
        after += usize::from(sent == 3 && ended.is_none());
    }

    assert!(after > 3, "{after} were dropped while they sent");
}
