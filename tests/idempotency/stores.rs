//! What every store has to do, tried on those that there are.

use std::sync::Arc;
use std::time::Duration;

use cloud_tasks::idempotency::{Claim, ClaimToken, IdempotencyKey, IdempotencyStore, MemoryStore};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{Database, Hand, KEEP, Tried, with_each_store};

const LEASE: Duration = Duration::from_secs(60);

/// Claims what is free.
async fn claim(store: &dyn IdempotencyStore, key: &IdempotencyKey) -> ClaimToken {
    match store.begin(key, LEASE).await.unwrap() {
        Claim::Run(token) => token,
        taken => panic!("{taken:?}"),
    }
}

with_each_store! {
    of_many_at_once_one_gets_the_claim
    of_many_at_once_one_gets_a_claim_that_has_ended
    what_is_complete_is_done_for_as_long_as_it_is_kept
    what_is_released_may_run_again
    a_claim_ends_with_its_lease_and_whoever_lost_it_can_settle_nothing
    a_claim_that_ended_and_that_nobody_else_got_is_completed_still
    what_was_completed_late_is_not_taken
    keys_that_differ_do_not_meet
    a_key_of_any_length_and_any_characters_is_kept
}

async fn of_many_at_once_one_gets_the_claim(tried: Tried) {
    assert_eq!(winners(&tried, "charge-7").await, 1);
    assert_eq!(winners(&tried, "charge-7").await, 0);
}

async fn of_many_at_once_one_gets_a_claim_that_has_ended(tried: Tried) {
    claim(&*tried.store, &"charge-7".into()).await;
    tried.hand.advance(LEASE);

    assert_eq!(winners(&tried, "charge-7").await, 1);
}

/// How many of those that come at once get a claim; all others are told that it is under way.
async fn winners(tried: &Tried, key: &'static str) -> usize {
    const AT_ONCE: usize = 32;
    let barrier = Arc::new(Barrier::new(AT_ONCE));
    let mut claims = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (store, barrier) = (Arc::clone(&tried.store), Arc::clone(&barrier));
        claims.spawn(async move {
            barrier.wait().await;
            store.begin(&key.into(), LEASE).await.unwrap()
        });
    }
    let claims = claims.join_all().await;
    assert!(!claims.contains(&Claim::Done), "{claims:?}");
    claims.iter().filter(|claim| **claim != Claim::InProgress).count()
}

async fn what_is_complete_is_done_for_as_long_as_it_is_kept(tried: Tried) {
    let (store, key) = (&*tried.store, "charge-7".into());
    let token = claim(store, &key).await;

    assert!(store.complete(&key, &token).await.unwrap());
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::Done);
    tried.hand.advance(KEEP.saturating_sub(Duration::from_secs(1)));
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::Done);
    tried.hand.advance(Duration::from_secs(1));
    claim(store, &key).await;
}

async fn what_is_released_may_run_again(tried: Tried) {
    let (store, key) = (&*tried.store, "charge-7".into());
    let token = claim(store, &key).await;

    store.release(&key, &token).await.unwrap();
    let again = claim(store, &key).await;
    store.complete(&key, &again).await.unwrap();
    store.release(&key, &again).await.unwrap();

    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::Done);
}

async fn a_claim_ends_with_its_lease_and_whoever_lost_it_can_settle_nothing(tried: Tried) {
    let (store, key) = (&*tried.store, "charge-7".into());
    let lost = claim(store, &key).await;

    tried.hand.advance(LEASE.saturating_sub(Duration::from_secs(1)));
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::InProgress);
    tried.hand.advance(Duration::from_secs(1));
    let token = claim(store, &key).await;
    store.release(&key, &lost).await.unwrap();
    assert!(!store.complete(&key, &lost).await.unwrap());
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::InProgress);
    assert!(store.complete(&key, &token).await.unwrap());
    assert!(!store.complete(&key, &lost).await.unwrap());
}

async fn a_claim_that_ended_and_that_nobody_else_got_is_completed_still(tried: Tried) {
    let (store, key) = (&*tried.store, "charge-7".into());
    let token = claim(store, &key).await;

    tried.hand.advance(2 * LEASE);
    assert!(store.complete(&key, &token).await.unwrap());
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::Done);
}

async fn what_was_completed_late_is_not_taken(tried: Tried) {
    let (store, key) = (&*tried.store, "charge-7".into());
    let token = claim(store, &key).await;

    tried.hand.advance(LEASE);
    store.complete(&key, &token).await.unwrap();

    assert_eq!(winners_of_done(&tried).await, 0);
}

async fn winners_of_done(tried: &Tried) -> usize {
    let mut winners = 0;
    for _ in 0..3 {
        let claim = tried.store.begin(&"charge-7".into(), LEASE).await.unwrap();
        winners += usize::from(claim != Claim::Done);
    }
    winners
}

async fn keys_that_differ_do_not_meet(tried: Tried) {
    for key in ["a", "A", "a ", " a", "ä", "a/b", "a%2Fb", ""] {
        claim(&*tried.store, &key.into()).await;
    }
}

async fn a_key_of_any_length_and_any_characters_is_kept(tried: Tried) {
    for key in ["x".repeat(100_000), "\0\n'\";--".to_owned(), "π".repeat(90)] {
        let key = IdempotencyKey::new(key);
        let token = claim(&*tried.store, &key).await;
        tried.store.complete(&key, &token).await.unwrap();
        assert_eq!(tried.store.begin(&key, LEASE).await.unwrap(), Claim::Done);
    }
}

#[tokio::test]
async fn the_store_in_memory_forgets_the_oldest_where_it_is_full_and_never_what_is_under_way() {
    let store = MemoryStore::new().capacity(3);
    let under_way = claim(&store, &"under way".into()).await;

    for number in 0..100 {
        let key = IdempotencyKey::new(number.to_string());
        let token = claim(&store, &key).await;
        store.complete(&key, &token).await.unwrap();
    }

    assert_eq!(store.len(), 4);
    assert_eq!(
        store.begin(&"under way".into(), LEASE).await.unwrap(),
        Claim::InProgress
    );
    for (number, done) in [(96, false), (97, true), (98, true), (99, true)] {
        let key = IdempotencyKey::new(number.to_string());
        let claim = store.begin(&key, LEASE).await.unwrap();
        assert_eq!(claim == Claim::Done, done, "{number}");
    }
    assert!(store.complete(&"under way".into(), &under_way).await.unwrap());
}

#[tokio::test]
async fn the_store_in_memory_keeps_nothing_that_has_ended() {
    let hand = Hand::new();
    let store = MemoryStore::new().keep(KEEP).clock(hand.function());
    for number in 0..300 {
        let key = IdempotencyKey::new(number.to_string());
        let token = claim(&store, &key).await;
        match number % 3 {
            0 => assert!(store.complete(&key, &token).await.unwrap()),
            1 => store.release(&key, &token).await.unwrap(),
            _ => {}
        }
    }

    let all = store.len();
    hand.advance(LEASE);
    let without_leases = store.len();
    hand.advance(KEEP);

    assert_eq!((all, without_leases, store.len()), (200, 100, 0));
    assert!(store.is_empty());
}

#[tokio::test]
async fn a_table_is_purged_of_what_has_ended_alone() {
    let (database, hand) = (Database::new().await, Hand::new());
    let table = database.table().await.keep(KEEP).clock(hand.function());
    let rows = async || {
        let count = sqlx::query_scalar("SELECT count(*) FROM cloud_tasks_effects");
        count.fetch_one(&database.pool).await.unwrap()
    };
    let done = "done".into();
    let token = claim(&table, &done).await;
    table.complete(&done, &token).await.unwrap();
    let lost = claim(&table, &"lost".into()).await;

    hand.advance(LEASE);
    table.purge().await.unwrap();
    let after_the_lease: i64 = rows().await;
    let completed = table.complete(&"lost".into(), &lost).await.unwrap();
    hand.advance(KEEP);
    table.purge().await.unwrap();
    let after_all: i64 = rows().await;

    assert_eq!((after_the_lease, completed, after_all), (1, true, 0));
}

#[tokio::test]
async fn a_table_has_the_name_that_it_is_given_and_is_made_once() {
    let database = Database::new().await;
    let table = database.table().await.table("effects_of_jobs").unwrap();

    table.create().await.unwrap();
    table.create().await.unwrap();
    claim(&table, &"charge-7".into()).await;
    let refused = table.clone().table("effects; DROP TABLE users").unwrap_err();

    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM effects_of_jobs")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(rows, 1);
    assert!(refused.is_invalid_request());
    assert!(
        refused.to_string().contains("letters, digits and `_`"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_an_error() {
    let database = Database::new().await;
    let table = database.table().await;
    let key = "charge-7".into();
    let token = claim(&table, &key).await;

    database.pool.close().await;

    assert!(table.begin(&key, LEASE).await.is_err());
    assert!(table.complete(&key, &token).await.is_err());
    assert!(table.release(&key, &token).await.is_err());
    assert!(table.purge().await.is_err());
    assert!(table.create().await.is_err());
}
