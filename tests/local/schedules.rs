//! Schedules under the local engine: due by a clock or run by hand, and requested over HTTP with signed tokens.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use cloud_tasks::backend::LocalEngine;
use cloud_tasks::task::TaskMetadata;
use cloud_tasks::{Config, Context, Discard, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc};

use crate::dependencies::with_dependencies;
use crate::support::server::{Port, Server};
use crate::support::wait::{next, within};

/// What the tasks of a test have done so far.
#[derive(Clone)]
pub(crate) struct Journal {
    lines: mpsc::UnboundedSender<(String, TaskMetadata)>,
    failures: Arc<AtomicU32>,
    /// Lets attempts of `Gated` end.
    gate: Arc<Semaphore>,
}

impl Journal {
    /// One that nobody reads.
    pub(crate) fn unread() -> Self {
        Self {
            lines: mpsc::unbounded_channel().0,
            failures: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        }
    }

    fn write<S>(&self, line: impl Into<String>, cx: &Context<S>) {
        // A test may be over by now.
        let _ = self.lines.send((line.into(), cx.metadata().clone()));
    }
}

#[derive(Serialize, Deserialize)]
struct Digest {
    limit: u32,
}

#[task(
    every = "@daily",
    time_zone = "Europe/Paris",
    payload = Digest { limit: 10 },
    headers = [("X-Source", "schedule")]
)]
impl Task for Digest {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        cx.state().write(format!("digest of {}", self.limit), &cx);
        Ok(())
    }
}

/// Fails as often as the test says.
#[derive(Default, Serialize, Deserialize)]
struct StumblingJob;

#[task(
    every = "0 0 1 1 *",
    schedule_max_retries = 2,
    schedule_name = "stumbling_job"
)]
impl Task for StumblingJob {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        cx.state().write("stumble", &cx);
        let failures = &cx.state().failures;
        let left = failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => Err("stumbled")?,
            Err(_) => Ok(()),
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct OnceOnly;

#[task(every = "1 of jan 00:00")]
impl Task for OnceOnly {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        cx.state().write("once", &cx);
        Err("never again")?
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Declined;

#[task(every = "@yearly", schedule_max_retries = 5)]
impl Task for Declined {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        cx.state().write("declined", &cx);
        Err(Discard::new("no, thank you"))?
    }
}

/// Fails each time, once the test lets it.
#[derive(Default, Serialize, Deserialize)]
struct Gated;

#[task(every = "@yearly", schedule_max_retries = 2)]
impl Task for Gated {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        cx.state().write("gated", &cx);
        cx.state().gate.acquire().await?.forget();
        Err("not this time")?
    }
}

/// A service with a local engine: both on ports of their own.
struct Stage {
    engine: LocalEngine,
    gate: Arc<Semaphore>,
    lines: mpsc::UnboundedReceiver<(String, TaskMetadata)>,
    server: Server,
}

impl Stage {
    /// Every clock stands still on the 2nd of January 2024 unless a test says otherwise.
    async fn set(failures: u32) -> Self {
        Self::set_at(failures, || at("2024-01-02T12:00:00Z")).await
    }

    async fn set_at(failures: u32, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        let port = Port::open().await;
        let endpoint = format!("{}/jobs", port.url());
        let (sender, lines) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(0));
        let journal = Journal {
            lines: sender,
            failures: Arc::new(failures.into()),
            gate: Arc::clone(&gate),
        };
        let (runtime, engine) = with_dependencies(Runtime::local())
            .config(Config::default().with_app_name("shop").with_endpoint(endpoint))
            .clock(clock)
            .state(journal)
            .build()
            .await
            .unwrap();
        let app = axum::Router::new().layer(runtime.layer());
        let server = port.serve(app);
        Self {
            engine,
            gate,
            lines,
            server,
        }
    }

    async fn next(&mut self) -> (String, TaskMetadata) {
        next(&mut self.lines).await
    }

    /// Runs a schedule by hand to its end, and gives back what its attempts wrote.
    async fn run(&mut self, name: &str) -> Vec<(String, TaskMetadata)> {
        self.engine.run_schedule(name).await.unwrap();
        within(self.engine.wait_scheduled()).await.unwrap();
        std::iter::from_fn(|| self.lines.try_recv().ok()).collect()
    }

    async fn strike(self) {
        self.engine.stop().await;
        self.server.stop().await;
    }
}

fn at(time: &str) -> SystemTime {
    humantime::parse_rfc3339(time).unwrap()
}

#[tokio::test]
async fn a_run_comes_with_its_payload_and_the_headers_of_its_job_and_is_let_in() {
    let mut stage = Stage::set(0).await;

    let lines = stage.run("Digest").await;

    let [(line, metadata)] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(line, "digest of 10");
    assert!(metadata.is_scheduled());
    assert_eq!(metadata.job_name(), Some("shop--Digest"));
    assert_eq!(metadata.schedule_time(), Some(at("2024-01-02T12:00:00Z")));
    assert_eq!((metadata.queue(), metadata.id()), (None, None));
    let header = |name: &str| metadata.headers().get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("x-source"), Some("schedule"));
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("user-agent"), Some("Google-Cloud-Scheduler"));
    stage.strike().await;
}

#[tokio::test]
async fn a_schedule_is_found_by_its_task_and_by_its_job() {
    let mut stage = Stage::set(0).await;

    for name in ["StumblingJob", "shop--stumbling_job"] {
        assert_eq!(stage.run(name).await.len(), 1, "{name}");
    }

    let refused = stage.engine.run_schedule("Nobody").await.unwrap_err().to_string();
    assert!(
        refused.contains("no schedule \"Nobody\"") && refused.contains("Digest"),
        "{refused}"
    );
    stage.strike().await;
}

#[tokio::test]
async fn a_run_that_fails_is_tried_again_as_often_as_its_schedule_says() {
    let mut stage = Stage::set(1).await;
    assert_eq!(stage.run("StumblingJob").await.len(), 2);
    stage.strike().await;

    let mut stage = Stage::set(100).await;
    assert_eq!(stage.run("StumblingJob").await.len(), 3);
    assert_eq!(stage.run("OnceOnly").await.len(), 1);
    assert_eq!(stage.run("Declined").await.len(), 1);
    stage.strike().await;
}

#[tokio::test]
async fn a_run_that_fails_is_given_up_when_the_next_one_is_due() {
    let (start, seconds) = (at("2024-01-02T12:00:00Z"), AtomicU64::new(0));
    let clock = move || start + Duration::from_secs(seconds.fetch_add(1, Ordering::SeqCst));
    let mut stage = Stage::set_at(0, clock).await;
    stage.engine.run_schedule("Gated").await.unwrap();
    let (_, first) = stage.next().await;

    stage.engine.run_schedule("Gated").await.unwrap();
    stage.gate.add_permits(10);

    stage.engine.wait_scheduled().await.unwrap();
    let second: Vec<_> = std::iter::from_fn(|| stage.lines.try_recv().ok()).collect();
    assert_eq!(second.len(), 3);
    for (_, metadata) in second {
        assert!(metadata.schedule_time() > first.schedule_time());
    }
    stage.strike().await;
}

#[tokio::test]
async fn a_schedule_fires_by_itself_when_the_clock_reaches_its_time() {
    // A tenth of a second before midnight in Paris; the clock goes on from there when the engine runs.
    let (midnight, started) = (at("2024-06-30T22:00:00Z"), Arc::new(OnceLock::<Instant>::new()));
    let running = Arc::clone(&started);
    let elapsed = move || running.get().map(Instant::elapsed).unwrap_or_default();
    let clock = move || midnight - Duration::from_millis(100) + elapsed();
    let mut stage = Stage::set_at(0, clock).await;

    started.set(Instant::now()).unwrap();

    let (line, metadata) = stage.next().await;

    assert_eq!(line, "digest of 10");
    assert_eq!(metadata.schedule_time(), Some(midnight));
    stage.strike().await;
}

#[tokio::test]
async fn times_that_passed_while_the_machine_slept_are_made_up_for_once() {
    let day = Duration::from_secs(24 * 60 * 60);
    let (start, days) = (at("2024-06-30T12:00:00Z"), Arc::new(AtomicU32::new(0)));
    let seen = Arc::clone(&days);
    let mut stage = Stage::set_at(0, move || start + day * seen.load(Ordering::SeqCst)).await;

    days.store(3, Ordering::SeqCst);

    let (_, metadata) = stage.next().await;
    assert_eq!(metadata.schedule_time(), Some(at("2024-06-30T22:00:00Z")));
    assert!(
        stage
            .run("StumblingJob")
            .await
            .iter()
            .all(|(line, _)| line == "stumble")
    );
    stage.strike().await;
}

#[tokio::test]
async fn nothing_fires_before_its_time() {
    let mut stage = Stage::set(0).await;

    // Another run has come and gone meanwhile, and the clock stands still.
    stage.run("StumblingJob").await;

    assert!(stage.lines.try_recv().is_err());
    stage.strike().await;
}

#[tokio::test]
async fn schedules_go_on_when_the_clock_is_set_back() {
    let now = Arc::new(Mutex::new(at("2024-06-30T12:00:00Z")));
    let (reads, mut read) = mpsc::unbounded_channel();
    let clock = {
        let now = Arc::clone(&now);
        move || {
            // The test may be over.
            let _ = reads.send(());
            *now.lock().unwrap()
        }
    };
    let mut stage = Stage::set_at(4, clock).await;
    let mut set = async |time| {
        *now.lock().unwrap() = at(time);
        while read.try_recv().is_ok() {}
        // Whatever reads the clock, of so many reads one is that of the schedules.
        for _ in 0..4 {
            read.recv().await.unwrap();
        }
    };
    set("2024-06-30T22:30:00Z").await;
    let (_, before) = stage.next().await;
    assert_eq!(stage.run("StumblingJob").await.len(), 3);

    set("2023-06-30T12:00:00Z").await;
    set("2023-06-30T22:30:00Z").await;

    let (line, metadata) = stage.next().await;
    assert_eq!(before.schedule_time(), Some(at("2024-06-30T22:00:00Z")));
    assert_eq!(line, "digest of 10");
    assert_eq!(metadata.schedule_time(), Some(at("2023-06-30T22:00:00Z")));
    // A run that fails is tried again, although a later one has run before.
    assert_eq!(stage.run("StumblingJob").await.len(), 2);
    stage.strike().await;
}
