//! What fails: tasks, callers who go away, stores.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloud_tasks::backend::{Backend, BackendFuture, Envelope};
use cloud_tasks::idempotency::{
    Claim, ClaimToken, IdempotencyKey, IdempotencyStore, MemoryStore, StoreFuture,
};
use cloud_tasks::task::Enqueued;
use cloud_tasks::{Context, ErrorKind, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::dependencies::with_states;
use crate::support::deliveries::{Effects, answer, delivery};
use crate::support::store_contract::ManualClock;

/// Ends in this way in its first attempt.
#[derive(Deserialize, Serialize)]
struct Stumble {
    how: String,
}

#[task(idempotent, timeout = "20s")]
impl Task for Stumble {
    async fn run(self, cx: Context<Effects>) -> TaskResult<Output> {
        cx.state().happen(0);
        match (cx.state().of(0), self.how.as_str()) {
            (1, "fail") => Err("stumbled")?,
            (1, "panic") => panic!("stumbled"),
            (1, "hang") => pending().await,
            (1, "unwritable") => Ok(Output(false)),
            _ => Ok(Output(true)),
        }
    }
}

/// An output that may not serialize.
struct Output(bool);

impl Serialize for Output {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 {
            return serializer.serialize_unit();
        }
        Err(serde::ser::Error::custom("there is no JSON of it"))
    }
}

/// A store whose calls may fail, and that tells when a claim is given back.
#[derive(Clone)]
struct Shaky {
    inner: MemoryStore,
    begins: Arc<AtomicBool>,
    completes: Arc<AtomicBool>,
    answers: Arc<AtomicBool>,
    released: Arc<Notify>,
}

impl Shaky {
    fn new() -> Self {
        let yes = || Arc::new(AtomicBool::new(true));
        Self {
            inner: MemoryStore::new(),
            begins: yes(),
            completes: yes(),
            answers: yes(),
            released: Arc::default(),
        }
    }

    /// Whether a call works; never, where no answer comes.
    async fn call(&self, works: &AtomicBool) -> Result<(), cloud_tasks::BoxError> {
        if !self.answers.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
        works
            .load(Ordering::SeqCst)
            .then_some(())
            .ok_or_else(|| "the password is hunter2".into())
    }
}

impl IdempotencyStore for Shaky {
    fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim> {
        Box::pin(async move {
            self.call(&self.begins).await?;
            self.inner.begin(key, lease).await
        })
    }

    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            self.call(&self.completes).await?;
            self.inner.complete(key, token).await
        })
    }

    fn renew<'a>(
        &'a self,
        key: &'a IdempotencyKey,
        token: &'a ClaimToken,
        lease: Duration,
    ) -> StoreFuture<'a, bool> {
        self.inner.renew(key, token, lease)
    }

    fn bury<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        self.inner.bury(key, token)
    }

    fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let released = self.inner.release(key, token).await;
            self.released.notify_one();
            released
        })
    }
}

async fn stumble(runtime: &Runtime, how: &str) -> (u16, Value) {
    answer(runtime, delivery("Stumble", "a", &json!({ "how": how }))).await
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_did_not_succeed_is_made_again() {
    for (how, status) in [("fail", 500), ("panic", 500), ("hang", 504)] {
        let (runtime, effects) = super::runtime(MemoryStore::new()).await;

        let first = stumble(&runtime, how).await;
        let second = stumble(&runtime, how).await;
        let third = stumble(&runtime, how).await;

        assert_eq!((first.0, second.0, third.0), (status, 200, 200), "{how}");
        assert_eq!(effects.of(0), 2, "{how}");
    }
}

#[tokio::test]
async fn arguments_that_do_not_decode_are_read_again() {
    let (runtime, effects) = super::runtime(MemoryStore::new()).await;

    let first = answer(&runtime, delivery("Stumble", "a", &json!({"how": 1}))).await;
    let second = stumble(&runtime, "succeed").await;

    assert_eq!((first.0, second.0, effects.of(0)), (400, 200, 1));
}

#[tokio::test]
async fn a_task_whose_output_does_not_serialize_did_what_it_does() {
    let (runtime, effects) = super::runtime(MemoryStore::new()).await;

    let first = stumble(&runtime, "unwritable").await;
    let second = stumble(&runtime, "unwritable").await;

    assert_eq!((first.0, second.0, effects.of(0)), (500, 200, 1));
}

#[tokio::test]
async fn an_attempt_that_is_cut_off_is_given_back() {
    let store = Shaky::new();
    let (runtime, effects) = super::runtime(store.clone()).await;

    let first = tokio::spawn({
        let runtime = runtime.clone();
        async move { stumble(&runtime, "hang").await }
    });
    while effects.of(0) == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    store.released.notified().await;
    let second = stumble(&runtime, "hang").await;

    assert_eq!((second.0, effects.of(0)), (200, 2));
}

#[tokio::test]
async fn a_run_of_a_process_that_died_is_repeated_after_its_lease() {
    let clock = ManualClock::new();
    let store = Shaky {
        inner: MemoryStore::new().clock(clock.function()),
        ..Shaky::new()
    };
    store.completes.store(false, Ordering::SeqCst);
    let (runtime, effects) = super::runtime(store.clone()).await;

    stumble(&runtime, "succeed").await;
    store.completes.store(true, Ordering::SeqCst);
    clock.advance(Duration::from_secs(29));
    let before = (stumble(&runtime, "succeed").await.0, effects.of(0));
    clock.advance(Duration::from_secs(1));
    let after = (stumble(&runtime, "succeed").await.0, effects.of(0));
    let again = (stumble(&runtime, "succeed").await.0, effects.of(0));

    assert_eq!((before, after, again), ((409, 1), (200, 2), (200, 2)));
}

#[tokio::test]
async fn nothing_runs_if_the_store_fails() {
    let store = Shaky::new();
    store.begins.store(false, Ordering::SeqCst);
    let (runtime, effects) = super::runtime(store.clone()).await;

    let refused = stumble(&runtime, "succeed").await;
    let task = Stumble { how: String::new() }.asap();
    let error = task.on(&runtime).await.unwrap_err();
    let before = effects.of(0);
    store.begins.store(true, Ordering::SeqCst);
    let after = stumble(&runtime, "succeed").await;

    assert_eq!(
        refused,
        (500, json!({"error": "Task Stumble failed", "status": "failed"}))
    );
    assert_eq!(error.kind(), ErrorKind::IdempotencyStore);
    assert_eq!((before, after.0, effects.of(0)), (0, 200, 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_runs_if_the_store_does_not_answer_before_the_deadline() {
    let store = Shaky::new();
    store.answers.store(false, Ordering::SeqCst);
    let (runtime, effects) = super::runtime(store).await;

    let began = tokio::time::Instant::now();
    let refused = stumble(&runtime, "succeed").await;

    assert_eq!((refused.0, effects.of(0)), (500, 0));
    assert_eq!(began.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_success_that_cannot_be_written_down_is_a_success_all_the_same() {
    for answers in [true, false] {
        let store = Shaky::new();
        let (runtime, effects) = super::runtime(store.clone()).await;
        store.completes.store(false, Ordering::SeqCst);

        let slow = tokio::spawn({
            let runtime = runtime.clone();
            async move { stumble(&runtime, "succeed").await }
        });
        while effects.of(0) == 0 {
            tokio::task::yield_now().await;
        }
        store.answers.store(answers, Ordering::SeqCst);
        let first = slow.await.unwrap();
        store.answers.store(true, Ordering::SeqCst);
        let second = stumble(&runtime, "succeed").await;

        // Its lease goes on, so that no delivery runs it at once.
        assert_eq!((first.0, second.0, effects.of(0)), (200, 409, 1));
    }
}

/// Takes no tasks.
struct Nowhere;

impl Backend for Nowhere {
    fn enqueue(&self, _envelope: Envelope) -> BackendFuture<'_> {
        Box::pin(async { Ok(Enqueued::new("nowhere", "never")) })
    }
}

#[tokio::test]
async fn a_runtime_for_production_is_not_built_without_a_store() {
    let builder = || {
        with_states(Runtime::builder())
            .backend(Nowhere)
            .allow_unauthenticated()
    };

    let error = builder().build().await.unwrap_err();
    let built = builder().idempotency(MemoryStore::new()).build().await;

    let told = error.to_string();
    assert!(
        told.contains("Stumble") && told.contains("are `idempotent`, and there is no idempotency store"),
        "{told}"
    );
    assert!(built.is_ok(), "{built:?}");
}
