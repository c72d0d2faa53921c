//! The contract of `IdempotencyStore`, as tests that any store runs: [`store_contract!`].
#![allow(dead_code, clippy::unwrap_used)]

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use cloud_tasks::idempotency::{Claim, ClaimToken, IdempotencyKey, IdempotencyStore};
use cloud_tasks::{Context, Message, Runtime, SubscriberTask, TaskResult, task};
use serde_json::json;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::deliveries::{Effects, answer};

/// A clock that stands still until it is moved.
#[derive(Clone)]
pub(crate) struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_700_000_000)))
    }

    pub(crate) fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn advance(&self, length: Duration) {
        self.0.fetch_add(length.as_secs(), Ordering::SeqCst);
    }

    pub(crate) fn function(&self) -> impl Fn() -> SystemTime + Send + Sync + 'static + use<> {
        let clock = self.clone();
        move || clock.now()
    }
}

/// A store, the clock it goes by, and what must outlive it, such as a database.
pub(crate) struct StoreUnderTest {
    store: Arc<dyn IdempotencyStore>,
    clock: ManualClock,
    _resources: Box<dyn Any + Send>,
}

impl StoreUnderTest {
    pub(crate) fn new(
        store: Arc<dyn IdempotencyStore>,
        clock: ManualClock,
        resources: impl Any + Send,
    ) -> Self {
        Self {
            store,
            clock,
            _resources: Box::new(resources),
        }
    }
}

/// How long the store under test remembers a completed effect.
pub(crate) const KEEP: Duration = Duration::from_secs(1000);

pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// Claims what is free.
pub(crate) async fn claim(store: &dyn IdempotencyStore, key: &IdempotencyKey) -> ClaimToken {
    claim_counted(store, key).await.0
}

/// Claims what is free, and returns the number of claims so far.
async fn claim_counted(store: &dyn IdempotencyStore, key: &IdempotencyKey) -> (ClaimToken, u32) {
    match store.begin(key, LEASE).await.unwrap() {
        Claim::Run { token, runs } => (token, runs),
        taken => panic!("{taken:?}"),
    }
}

/// Makes a test of each rule; the function returns a new store, or an `Option` of one: `async fn() -> StoreUnderTest`.
macro_rules! store_contract {
    ($new:path) => {
        $crate::support::store_contract::store_contract! { $new:
            of_many_at_once_one_gets_the_claim
            of_many_at_once_one_gets_a_claim_that_has_ended
            a_completed_key_stays_done_for_the_retention
            a_released_key_may_run_again
            claims_are_counted_whether_they_are_released_or_expire
            the_count_is_forgotten_with_the_retention_and_begins_anew
            a_claim_ends_with_its_lease_and_whoever_lost_it_can_settle_nothing
            a_claim_that_is_renewed_does_not_end
            a_claim_that_was_settled_or_lost_is_not_renewed
            an_expired_claim_that_nobody_took_can_still_be_renewed
            a_buried_task_stays_dead_for_the_retention
            what_is_settled_can_be_settled_again_in_the_same_way_only
            an_expired_claim_that_nobody_took_can_still_be_completed
            what_was_completed_late_is_not_taken
            keys_that_differ_do_not_meet
            a_key_of_any_length_and_any_characters_is_kept
            an_event_that_is_published_twice_has_its_effect_once
        }
    };
    ($new:path: $($rule:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $rule() {
            // A store whose server is absent is not tested.
            if let Some(subject) = Into::<Option<_>>::into($new().await) {
                $crate::support::store_contract::$rule(subject).await;
            }
        })*
    };
}
pub(crate) use store_contract;

pub(crate) async fn of_many_at_once_one_gets_the_claim(subject: StoreUnderTest) {
    assert_eq!(winners(&subject, "charge-7").await, 1);
    assert_eq!(winners(&subject, "charge-7").await, 0);
}

pub(crate) async fn of_many_at_once_one_gets_a_claim_that_has_ended(subject: StoreUnderTest) {
    claim(&*subject.store, &"charge-7".into()).await;
    subject.clock.advance(LEASE);

    assert_eq!(winners(&subject, "charge-7").await, 1);
}

/// How many of those that come at once get a claim; all others are told that it is under way.
async fn winners(subject: &StoreUnderTest, key: &'static str) -> usize {
    const AT_ONCE: usize = 32;
    let barrier = Arc::new(Barrier::new(AT_ONCE));
    let mut claims = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (store, barrier) = (Arc::clone(&subject.store), Arc::clone(&barrier));
        claims.spawn(async move {
            barrier.wait().await;
            store.begin(&key.into(), LEASE).await.unwrap()
        });
    }
    let claims = claims.join_all().await;
    assert!(!claims.contains(&Claim::Done), "{claims:?}");
    claims.iter().filter(|claim| **claim != Claim::InProgress).count()
}

pub(crate) async fn a_completed_key_stays_done_for_the_retention(subject: StoreUnderTest) {
    let (store, key) = (&*subject.store, "charge-7".into());
    let token = claim(store, &key).await;

    assert!(store.complete(&key, &token).await.unwrap());
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::Done);
    subject.clock.advance(KEEP.saturating_sub(Duration::from_secs(1)));
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::Done);
    subject.clock.advance(Duration::from_secs(1));
    claim(store, &key).await;
}

pub(crate) async fn a_released_key_may_run_again(subject: StoreUnderTest) {
    let (store, key) = (&*subject.store, "charge-7".into());
    let token = claim(store, &key).await;

    store.release(&key, &token).await.unwrap();
    let again = claim(store, &key).await;
    store.complete(&key, &again).await.unwrap();
    store.release(&key, &again).await.unwrap();

    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::Done);
}

pub(crate) async fn a_claim_ends_with_its_lease_and_whoever_lost_it_can_settle_nothing(
    subject: StoreUnderTest,
) {
    let (store, key) = (&*subject.store, "charge-7".into());
    let lost = claim(store, &key).await;

    subject
        .clock
        .advance(LEASE.saturating_sub(Duration::from_secs(1)));
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::InProgress);
    subject.clock.advance(Duration::from_secs(1));
    let token = claim(store, &key).await;
    store.release(&key, &lost).await.unwrap();
    assert!(!store.complete(&key, &lost).await.unwrap());
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::InProgress);
    assert!(store.complete(&key, &token).await.unwrap());
    assert!(!store.complete(&key, &lost).await.unwrap());
}

pub(crate) async fn claims_are_counted_whether_they_are_released_or_expire(subject: StoreUnderTest) {
    let (store, key) = (&*subject.store, "charge-7".into());

    let (token, first) = claim_counted(store, &key).await;
    store.release(&key, &token).await.unwrap();
    let (_, second) = claim_counted(store, &key).await;
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::InProgress);
    subject.clock.advance(LEASE);
    let (token, third) = claim_counted(store, &key).await;
    store.release(&key, &token).await.unwrap();
    subject.clock.advance(KEEP.saturating_sub(Duration::from_secs(1)));
    let (token, fourth) = claim_counted(store, &key).await;
    store.renew(&key, &token, LEASE).await.unwrap();
    store.release(&key, &token).await.unwrap();
    let (_, fifth) = claim_counted(store, &key).await;
    let (_, of_another) = claim_counted(store, &"charge-8".into()).await;

    assert_eq!([first, second, third, fourth, fifth], [1, 2, 3, 4, 5]);
    assert_eq!(of_another, 1);
}

pub(crate) async fn the_count_is_forgotten_with_the_retention_and_begins_anew(subject: StoreUnderTest) {
    let (store, key) = (&*subject.store, "charge-7".into());

    for end in ["released", "expired", "completed", "buried"] {
        let (token, runs) = claim_counted(store, &key).await;
        assert_eq!(runs, 1, "before {end}");
        match end {
            "released" => store.release(&key, &token).await.unwrap(),
            "completed" => assert!(store.complete(&key, &token).await.unwrap()),
            "buried" => assert!(store.bury(&key, &token).await.unwrap()),
            _ => subject.clock.advance(LEASE),
        }
        subject.clock.advance(KEEP);
    }
}

pub(crate) async fn a_claim_that_is_renewed_does_not_end(subject: StoreUnderTest) {
    let (store, key) = (&*subject.store, "charge-7".into());
    let token = claim(store, &key).await;
    let almost = LEASE.saturating_sub(Duration::from_secs(1));

    for _ in 0..3 {
        subject.clock.advance(almost);
        assert!(store.renew(&key, &token, LEASE).await.unwrap());
    }
    subject.clock.advance(almost);
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::InProgress);
    assert!(store.renew(&key, &token, 2 * LEASE).await.unwrap());
    subject.clock.advance(LEASE + almost);
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::InProgress);
    subject.clock.advance(Duration::from_secs(1));
    assert_eq!(claim_counted(store, &key).await.1, 2);
}

pub(crate) async fn a_claim_that_was_settled_or_lost_is_not_renewed(subject: StoreUnderTest) {
    let (store, key) = (&*subject.store, "charge-7".into());
    let lost = claim(store, &key).await;
    subject.clock.advance(LEASE);
    let token = claim(store, &key).await;

    assert!(!store.renew(&key, &lost, LEASE).await.unwrap());
    assert!(store.renew(&key, &token, LEASE).await.unwrap());
    assert!(!store.renew(&"another".into(), &token, LEASE).await.unwrap());
    // A renewal that arrives late must not take the claim back.
    store.release(&key, &token).await.unwrap();
    assert!(!store.renew(&key, &token, LEASE).await.unwrap());
    let token = claim(store, &key).await;
    assert!(store.complete(&key, &token).await.unwrap());
    assert!(!store.renew(&key, &token, LEASE).await.unwrap());
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::Done);
}

pub(crate) async fn an_expired_claim_that_nobody_took_can_still_be_renewed(subject: StoreUnderTest) {
    let (store, key) = (&*subject.store, "charge-7".into());
    let token = claim(store, &key).await;

    subject.clock.advance(2 * LEASE);
    assert!(store.renew(&key, &token, LEASE).await.unwrap());
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::InProgress);
    assert!(store.complete(&key, &token).await.unwrap());
}

pub(crate) async fn a_buried_task_stays_dead_for_the_retention(subject: StoreUnderTest) {
    let (store, key) = (&*subject.store, "charge-7".into());
    let lost = claim(store, &key).await;
    subject.clock.advance(LEASE);
    let token = claim(store, &key).await;

    assert!(!store.bury(&key, &lost).await.unwrap());
    assert!(store.bury(&key, &token).await.unwrap());
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::Dead);
    store.release(&key, &token).await.unwrap();
    subject.clock.advance(KEEP.saturating_sub(Duration::from_secs(1)));
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::Dead);
    subject.clock.advance(Duration::from_secs(1));
    claim(store, &key).await;
}

/// A call whose response was lost is repeated.
pub(crate) async fn what_is_settled_can_be_settled_again_in_the_same_way_only(subject: StoreUnderTest) {
    let store = &*subject.store;
    let (done, dead) = ("charge-7".into(), "charge-8".into());
    let (token_done, token_dead) = (claim(store, &done).await, claim(store, &dead).await);

    for _ in 0..2 {
        assert!(store.complete(&done, &token_done).await.unwrap());
        assert!(store.bury(&dead, &token_dead).await.unwrap());
        assert!(!store.bury(&done, &token_done).await.unwrap());
        assert!(!store.complete(&dead, &token_dead).await.unwrap());
    }

    assert_eq!(store.begin(&done, LEASE).await.unwrap(), Claim::Done);
    assert_eq!(store.begin(&dead, LEASE).await.unwrap(), Claim::Dead);
}

pub(crate) async fn an_expired_claim_that_nobody_took_can_still_be_completed(subject: StoreUnderTest) {
    let (store, key) = (&*subject.store, "charge-7".into());
    let token = claim(store, &key).await;

    subject.clock.advance(2 * LEASE);
    assert!(store.complete(&key, &token).await.unwrap());
    assert_eq!(store.begin(&key, LEASE).await.unwrap(), Claim::Done);
}

pub(crate) async fn what_was_completed_late_is_not_taken(subject: StoreUnderTest) {
    let (store, key) = (&*subject.store, "charge-7".into());
    let token = claim(store, &key).await;

    subject.clock.advance(LEASE);
    store.complete(&key, &token).await.unwrap();

    assert_eq!(winners_of_done(&subject).await, 0);
}

async fn winners_of_done(subject: &StoreUnderTest) -> usize {
    let mut winners = 0;
    for _ in 0..3 {
        let claim = subject.store.begin(&"charge-7".into(), LEASE).await.unwrap();
        winners += usize::from(claim != Claim::Done);
    }
    winners
}

pub(crate) async fn keys_that_differ_do_not_meet(subject: StoreUnderTest) {
    for key in ["a", "A", "a ", " a", "ä", "a/b", "a%2Fb", ""] {
        claim(&*subject.store, &key.into()).await;
    }
}

pub(crate) async fn a_key_of_any_length_and_any_characters_is_kept(subject: StoreUnderTest) {
    for key in ["x".repeat(100_000), "\0\n'\";--".to_owned(), "π".repeat(90)] {
        let key = IdempotencyKey::new(key);
        let token = claim(&*subject.store, &key).await;
        subject.store.complete(&key, &token).await.unwrap();
        assert_eq!(subject.store.begin(&key, LEASE).await.unwrap(), Claim::Done);
    }
}

/// An event of a publisher who may send it twice.
struct Charging;

#[task(topic = "orders")]
impl SubscriberTask for Charging {
    async fn run(message: Message<u64>, cx: Context<Effects>) -> TaskResult<bool> {
        let order = message.content;
        let charged = cx
            .once(format!("charge-{order}"), cx.state().charge(order))
            .await?;
        Ok(charged.is_already_done())
    }
}

pub(crate) async fn an_event_that_is_published_twice_has_its_effect_once(subject: StoreUnderTest) {
    let effects = Effects::default();
    let runtime = Runtime::eager()
        .state(effects.clone())
        .idempotency(Arc::clone(&subject.store))
        .build()
        .await
        .unwrap();
    let mut answers = Vec::new();

    for id in ["1", "2", "3"] {
        let message = json!({"message": {"data": "Nw==", "messageId": id}, "subscription": "s"});
        let request = http::Request::post("/subscriptions/Charging").body(message.to_string().into());
        answers.push(answer(&runtime, request.unwrap()).await.1["result"].clone());
    }

    assert_eq!(answers, [false, true, true]);
    assert_eq!(effects.of(7), 1);
}
