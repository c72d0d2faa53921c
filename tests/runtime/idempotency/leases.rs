//! Leases: how long the deliveries after a death wait, what a lost lease does, and which runs count.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use cloud_tasks::dead_letters::Dead;
use cloud_tasks::idempotency::{
    Claim, ClaimToken, IdempotencyKey, IdempotencyStore, MemoryStore, Once, StoreFuture,
};
use cloud_tasks::queue::QueueSettings;
use cloud_tasks::runtime::RuntimeBuilder;
use cloud_tasks::testing::{Recorded, Recorder};
use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use http::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::support::deliveries::{answer, delivery};
use crate::support::log::Log;

/// Ends as it is told, or in its first run never.
#[derive(Deserialize, Serialize)]
struct Guarded {
    seconds: u64,
    fails: bool,
}

#[task(
    queue = "guarded",
    idempotent,
    max_attempts = 3,
    timeout = "5m",
    dead_letter_topic = "dead-guarded"
)]
impl Task for Guarded {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        let metadata = cx.metadata();
        let (runs, last) = (metadata.runs(), metadata.is_last_attempt());
        cx.state().write(format!("run {runs:?}, last {last}"));
        sleep(Duration::from_secs(self.seconds)).await;
        cx.state().write("ended".to_owned());
        if self.fails {
            Err("no luck")?;
        }
        Ok(())
    }

    async fn on_dead(self, dead: Dead, cx: Context<Log>) -> TaskResult {
        let (cause, attempts, runs) = (dead.cause(), dead.attempts(), dead.runs());
        cx.state()
            .write(format!("dead: {cause:?}, {attempts} deliveries, {runs:?} runs"));
        Ok(())
    }
}

/// Has an effect of its own that takes long.
#[derive(Deserialize, Serialize)]
struct GuardedEffect {}

#[task(timeout = "5m")]
impl Task for GuardedEffect {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        let effect = async {
            cx.state().write("began".to_owned());
            sleep(Duration::from_secs(60)).await;
            cx.state().write("ended".to_owned());
            TaskResult::Ok(())
        };
        assert_eq!(cx.once("effect-of-a-minute", effect).await?, Once::Ran(()));
        Ok(())
    }
}

/// A store whose renewals and releases may fail. Its clock is that of tokio, which the tests pause.
#[derive(Clone)]
struct Leases {
    inner: MemoryStore,
    renewals: Arc<AtomicU8>,
    claims: Arc<Mutex<Vec<(IdempotencyKey, ClaimToken)>>>,
}

/// What a renewal or a release does.
const WORKS: u8 = 0;
const FAILS: u8 = 1;
const HANGS: u8 = 2;
/// As in a process that was killed.
const NEVER_HAPPENS: u8 = 3;

impl Leases {
    fn new() -> Self {
        let start = Instant::now();
        let clock = move || SystemTime::UNIX_EPOCH + start.elapsed();
        Self {
            inner: MemoryStore::new().clock(clock),
            renewals: Arc::default(),
            claims: Arc::default(),
        }
    }

    fn renewals(&self, what: u8) {
        self.renewals.store(what, Ordering::SeqCst);
    }

    /// Lets another delivery take over what is claimed.
    async fn steal(&self) {
        let (key, token) = self.claims.lock().unwrap().pop().unwrap();
        self.inner.release(&key, &token).await.unwrap();
        let claim = self.inner.begin(&key, Duration::from_secs(1000)).await.unwrap();
        assert!(matches!(claim, Claim::Run { .. }));
    }
}

impl IdempotencyStore for Leases {
    fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim> {
        Box::pin(async move {
            let claim = self.inner.begin(key, lease).await?;
            if let Claim::Run { token, .. } = &claim {
                self.claims.lock().unwrap().push((key.clone(), token.clone()));
            }
            Ok(claim)
        })
    }

    fn renew<'a>(
        &'a self,
        key: &'a IdempotencyKey,
        token: &'a ClaimToken,
        lease: Duration,
    ) -> StoreFuture<'a, bool> {
        match self.renewals.load(Ordering::SeqCst) {
            WORKS => self.inner.renew(key, token, lease),
            FAILS => Box::pin(async { Err("the database is away".into()) }),
            _ => Box::pin(std::future::pending()),
        }
    }

    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        self.inner.complete(key, token)
    }

    fn bury<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        self.inner.bury(key, token)
    }

    fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()> {
        if self.renewals.load(Ordering::SeqCst) == NEVER_HAPPENS {
            return Box::pin(async { Ok(()) });
        }
        self.inner.release(key, token)
    }
}

struct Stage {
    runtime: Runtime,
    recorder: Recorder,
    store: Leases,
    log: Log,
}

async fn stage() -> Stage {
    stage_with(|builder| builder).await
}

async fn stage_with(change: impl FnOnce(RuntimeBuilder<Recorded>) -> RuntimeBuilder<Recorded>) -> Stage {
    let (store, log) = (Leases::new(), Log::default());
    let builder = Runtime::recorded().state(log.clone()).idempotency(store.clone());
    let (runtime, recorder) = change(builder).build().await.unwrap();
    Stage {
        runtime,
        recorder,
        store,
        log,
    }
}

fn attempt(number: u32, seconds: u64, fails: bool) -> Request<Body> {
    let body = json!({"seconds": seconds, "fails": fails});
    let mut request = delivery("Guarded", "g1", &body);
    let headers = request.headers_mut();
    headers.insert("x-cloudtasks-queuename", "guarded".parse().unwrap());
    headers.insert("x-cloudtasks-taskretrycount", (number - 1).into());
    request
}

impl Stage {
    async fn attempt(&self, number: u32, seconds: u64, fails: bool) -> u16 {
        answer(&self.runtime, attempt(number, seconds, fails)).await.0
    }

    /// Delivers the task, and goes on when it runs.
    async fn begin(&self, number: u32, seconds: u64, fails: bool) -> JoinHandle<(u16, Value)> {
        let runtime = self.runtime.clone();
        let before = self.log.lines().len();
        let running = tokio::spawn(async move { answer(&runtime, attempt(number, seconds, fails)).await });
        while self.log.lines().len() == before {
            tokio::task::yield_now().await;
        }
        running
    }

    /// Delivers the task to a process that is killed while it runs.
    async fn kill(&self, number: u32) {
        self.store.renewals(NEVER_HAPPENS);
        let running = self.begin(number, 1000, false).await;
        running.abort();
        let _ = running.await;
        // What the process would have done has no effect.
        self.runtime.flush().await;
        self.store.renewals(WORKS);
    }

    fn causes(&self) -> Vec<Value> {
        let records = self.recorder.publications();
        let record = |data: &[u8]| serde_json::from_slice::<Value>(data).unwrap();
        records
            .iter()
            .map(|message| record(message.data())["cause"].clone())
            .collect()
    }
}

fn queue_of(max_attempts: i32) -> impl FnOnce(RuntimeBuilder<Recorded>) -> RuntimeBuilder<Recorded> {
    move |builder| builder.queue(QueueSettings::new("guarded").with_max_attempts(max_attempts))
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_process_was_killed_runs_again_in_the_queues_last_delivery() {
    let stage = stage_with(queue_of(5)).await;
    stage.kill(1).await;
    let began = Instant::now();

    let mut answers = Vec::new();
    for number in 2..=5 {
        answers.push(stage.attempt(number, 0, false).await);
    }

    assert_eq!(answers, [409, 409, 409, 200]);
    assert!(
        began.elapsed() <= Duration::from_secs(31),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        stage.log.lines(),
        ["run Some(1), last false", "run Some(2), last true", "ended"]
    );
    assert_eq!(stage.causes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_still_runs_elsewhere_in_the_queues_last_delivery_is_recorded() {
    let stage = stage_with(queue_of(5)).await;
    let running = stage.begin(1, 280, false).await;
    let began = Instant::now();

    let last = stage.attempt(5, 0, false).await;

    // It has waited for most of its time.
    assert_eq!((last, began.elapsed().as_secs()), (409, 240));
    assert_eq!(stage.causes(), ["in-progress"]);
    assert_eq!(stage.log.lines()[1], "dead: InProgress, 5 deliveries, None runs");
    assert_eq!(running.await.unwrap().0, 200);
}

#[tokio::test(start_paused = true)]
async fn what_ends_elsewhere_while_the_last_delivery_waits_is_answered_as_it_ended() {
    for (fails, expected) in [(false, 200), (true, 200)] {
        let stage = stage_with(queue_of(5)).await;
        let running = stage.begin(1, 20, fails).await;

        let last = stage.attempt(5, 0, false).await;

        assert_eq!(last, expected);
        assert_eq!(running.await.unwrap().0, if fails { 500 } else { 200 });
        let runs = stage
            .log
            .lines()
            .iter()
            .filter(|line| line.starts_with("run"))
            .count();
        assert_eq!(runs, 1 + usize::from(fails));
        assert_eq!(stage.causes(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_tasks_own_limit_counts_runs_and_the_record_says_both_numbers() {
    let stage = stage().await;
    let running = stage.begin(1, 20, true).await;

    let mut answers = Vec::new();
    for number in 2..=6 {
        answers.push(stage.attempt(number, 0, true).await);
    }
    answers.push(running.await.unwrap().0);
    for number in 7..=10 {
        answers.push(stage.attempt(number, 0, true).await);
    }

    assert_eq!(answers, [409, 409, 409, 409, 409, 500, 500, 202, 202, 202]);
    assert_eq!(
        stage.log.lines(),
        [
            "run Some(1), last false",
            "ended",
            "run Some(2), last false",
            "ended",
            "run Some(3), last true",
            "ended",
            "dead: Failed, 8 deliveries, Some(3) runs",
        ]
    );
    let record: Value = serde_json::from_slice(stage.recorder.publications()[0].data()).unwrap();
    assert_eq!((&record["attempts"], &record["runs"]), (&json!(8), &json!(3)));
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_while_the_task_runs_and_ends_soon_after_its_process() {
    let stage = stage().await;
    let running = stage.begin(1, 200, false).await;

    let mut during = Vec::new();
    for _ in 0..4 {
        sleep(Duration::from_secs(45)).await;
        during.push(stage.attempt(2, 0, false).await);
    }

    assert_eq!(during, [409, 409, 409, 409]);
    assert_eq!(running.await.unwrap().0, 200);
    assert_eq!(stage.attempt(2, 0, false).await, 200);
    assert_eq!(stage.log.lines(), ["run Some(1), last false", "ended"]);
}

#[tokio::test(start_paused = true)]
async fn the_length_of_a_lease_is_a_setting() {
    let stage = stage_with(|builder| builder.idempotency_lease(Duration::from_secs(6))).await;
    stage.kill(1).await;

    sleep(Duration::from_secs(5)).await;
    let before = stage.attempt(2, 0, false).await;
    sleep(Duration::from_secs(1)).await;
    let after = stage.attempt(3, 0, false).await;

    assert_eq!((before, after), (409, 200));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_is_tried_again() {
    for how in [FAILS, HANGS] {
        let stage = stage().await;
        let running = stage.begin(1, 60, false).await;

        stage.store.renewals(how);
        // At ten seconds it fails, and at twenty it works; one that hangs has until the lease ends.
        sleep(Duration::from_secs(15)).await;
        stage.store.renewals(WORKS);

        assert_eq!(running.await.unwrap().0, if how == FAILS { 200 } else { 500 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_lease_ends_without_a_renewal_is_cancelled() {
    let stage = stage().await;
    let began = Instant::now();
    let running = stage.begin(1, 200, false).await;
    stage.store.renewals(FAILS);

    let cancelled = running.await.unwrap().0;
    let after = began.elapsed();
    stage.store.renewals(WORKS);
    let again = stage.attempt(2, 0, false).await;

    assert_eq!((cancelled, after.as_secs(), again), (500, 30, 200));
    assert_eq!(
        stage.log.lines(),
        ["run Some(1), last false", "run Some(2), last false", "ended"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_claim_was_taken_over_is_cancelled() {
    let stage = stage().await;
    let running = stage.begin(1, 200, false).await;

    stage.store.steal().await;
    let cancelled = running.await.unwrap().0;

    assert_eq!(cancelled, 409);
    assert_eq!(stage.log.lines(), ["run Some(1), last false"]);
}

#[tokio::test(start_paused = true)]
async fn an_effect_of_its_own_is_renewed_and_cancelled_too() {
    let stage = stage().await;
    let request = || delivery("GuardedEffect", "e1", &json!({}));
    let runtime = stage.runtime.clone();
    let running = tokio::spawn(async move { answer(&runtime, request()).await });

    sleep(Duration::from_secs(45)).await;
    let during = answer(&stage.runtime, request()).await.0;
    stage.store.steal().await;
    let cancelled = running.await.unwrap().0;

    assert_eq!((during, cancelled), (409, 409));
    assert_eq!(stage.log.lines(), ["began"]);
}

#[tokio::test]
async fn what_a_caller_leaves_is_released_before_a_flush_returns() {
    let stage = stage().await;
    let running = stage.begin(1, 1000, false).await;

    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    stage.runtime.flush().await;

    let key = stage.store.claims.lock().unwrap().pop().unwrap().0;
    let claim = stage
        .store
        .inner
        .begin(&key, Duration::from_secs(1))
        .await
        .unwrap();
    assert!(matches!(claim, Claim::Run { runs: 2, .. }), "{claim:?}");
}
