//! Over a thousand tasks and messages through proxies that spoil every fourth request: none is lost, and no task is made
//! twice.
//!
//! `cargo test --test local faults -- --nocapture 2> /dev/null` shows the figures.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::backend::{Google, LocalEngine, RetrySettings};
use cloud_tasks::service::TrustedCallers;
use cloud_tasks::task::Enqueued;
use cloud_tasks::{
    Config, Context, Error, Message, PublisherTask, Runtime, SubscriberTask, Task, TaskResult, task,
};
use futures_util::{StreamExt, stream};
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::dependencies::with_dependencies;
use crate::support::chaos::{Arrives, Chaos, Fault, Faults, Side};

/// Chosen once; another one has to do as well.
const SEED: u64 = 0x5eed;

/// The ids of the tasks that ran, by their number, each as often as it ran.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<BTreeMap<u64, Vec<String>>>>);

impl Journal {
    /// The tasks of this number that exist.
    fn ids(&self, number: u64) -> BTreeSet<String> {
        let runs = self.0.lock().unwrap();
        runs.get(&number).into_iter().flatten().cloned().collect()
    }

    fn runs(&self) -> usize {
        self.0.lock().unwrap().values().map(Vec::len).sum()
    }
}

#[derive(Serialize, Deserialize)]
struct Work {
    number: u64,
}

#[task(queue = "faults")]
impl Task for Work {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        let id = cx.metadata().id().ok_or("no id")?.to_owned();
        tokio::task::yield_now().await;
        let mut runs = cx.state().0.lock().unwrap();
        runs.entry(self.number).or_default().push(id);
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Fact {
    number: u64,
}

#[task(topic = "facts")]
impl PublisherTask for Fact {}

struct Learner;

#[task(min_backoff = "0s", max_backoff = "0s", ack_deadline = "60s")]
impl SubscriberTask for Learner {
    async fn run(message: Message<Fact>, cx: Context<Journal>) -> TaskResult {
        let mut runs = cx.state().0.lock().unwrap();
        runs.entry(message.content.number).or_default().push(message.id);
        Ok(())
    }
}

/// The number of a message in the body of its push.
fn number_pushed(body: &[u8]) -> u64 {
    let push: Value = serde_json::from_slice(body).unwrap();
    let data = push["message"]["data"].as_str().unwrap();
    number(&STANDARD.decode(data).unwrap())
}

/// The number of a task in the body of its request.
fn number(body: &[u8]) -> u64 {
    serde_json::from_slice::<Work>(body).unwrap().number
}

/// The number of a task in the body of the call that creates it.
fn number_created(body: &[u8]) -> u64 {
    let call: Value = serde_json::from_slice(body).unwrap();
    let body = call["task"]["httpRequest"]["body"].as_str().unwrap();
    number(&STANDARD.decode(body).unwrap())
}

/// As often and as long as the defaults do, at a sixtieth of the time.
fn with_retries() -> RetrySettings {
    let default = RetrySettings::default();
    RetrySettings {
        initial: default.initial / 60,
        maximum: default.maximum / 60,
        ..default
    }
}

/// An engine, and a service whose callers are verified, with a proxy in front of one of them.
struct Stage {
    engine: LocalEngine,
    /// Publishes through the engine.
    local: Runtime,
    journal: Journal,
    chaos: Chaos,
    /// What clients are told of Cloud Tasks and of the service.
    config: Config,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Stage {
    async fn set(side: Side) -> Self {
        let journal = Journal::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = listener.local_addr().unwrap();
        let endpoint = |address| Config::default().with_endpoint(format!("http://{address}"));
        let pushes = match side {
            Side::Push => Some(Chaos::before(service, side, SEED, number_pushed).await),
            Side::Enqueue | Side::Callback => None,
        };
        let pushed_to = pushes.as_ref().map_or(service, Chaos::address);
        let (local, engine) = with_dependencies(Runtime::local())
            .config(endpoint(pushed_to))
            .state(journal.clone())
            .build()
            .await
            .unwrap();
        make_queue(&engine).await;
        let host: SocketAddr = engine.url().trim_start_matches("http://").parse().unwrap();
        let (chaos, config) = match (side, pushes) {
            (_, Some(chaos)) => (
                chaos,
                endpoint(pushed_to).with_cloud_tasks_emulator_host(host.to_string()),
            ),
            (Side::Enqueue, None) => {
                let chaos = Chaos::before(host, side, SEED, number_created).await;
                let host = chaos.address().to_string();
                (chaos, endpoint(service).with_cloud_tasks_emulator_host(host))
            }
            (Side::Callback | Side::Push, None) => {
                let chaos = Chaos::before(service, side, SEED, number).await;
                let config = endpoint(chaos.address()).with_cloud_tasks_emulator_host(host.to_string());
                (chaos, config)
            }
        };
        let runtime = connect(&engine, &config, &journal).await;
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = runtime
            .serve(listener, runtime.service())
            .linger(Duration::ZERO)
            .shutdown(async { drop(stopped.await) });
        Self {
            engine,
            local,
            journal,
            chaos,
            config,
            stop,
            server: tokio::spawn(serve.into_future()),
        }
    }

    /// Enqueues tasks of these numbers.
    async fn enqueue(
        &self,
        numbers: std::ops::Range<u64>,
        retry: RetrySettings,
    ) -> Vec<(u64, Result<Enqueued, Error>)> {
        let config = self.config.clone().with_enqueue_retry(retry);
        let runtime = &connect(&self.engine, &config, &self.journal).await;
        stream::iter(numbers)
            .map(|number| async move { (number, Work { number }.asap().on(runtime).await) })
            .buffer_unordered(32)
            .collect()
            .await
    }

    /// Waits until every task that exists has run.
    async fn run_all(&self) -> Faults {
        match self.chaos.side() {
            Side::Enqueue => {
                let faults = self.chaos.settle().await;
                self.engine.wait_idle("faults").await.unwrap();
                faults
            }
            Side::Callback => {
                self.engine.wait_idle("faults").await.unwrap();
                self.chaos.settle().await
            }
            Side::Push => {
                self.engine.wait_delivered().await.unwrap();
                self.chaos.settle().await
            }
        }
    }

    async fn strike(self) {
        self.stop.send(()).unwrap();
        self.server.await.unwrap().unwrap();
        self.engine.stop().await;
    }
}

async fn connect(engine: &LocalEngine, config: &Config, journal: &Journal) -> Runtime {
    let callers = TrustedCallers::new()
        .issuer(engine.url(), format!("{}/jwks", engine.url()))
        .fetch_timeout(Duration::from_secs(60));
    with_dependencies(Runtime::builder())
        .config(config.clone())
        .google(Google::new().attempt_timeout(Duration::from_secs(1)))
        .callers(callers)
        .state(journal.clone())
        .build()
        .await
        .unwrap()
}

/// Makes a queue that repeats soon, and does not give up.
async fn make_queue(engine: &LocalEngine) {
    let location = "projects/local/locations/local";
    let queue = json!({
        "name": format!("{location}/queues/faults"),
        "retryConfig": {"maxAttempts": -1, "minBackoff": "0.01s", "maxBackoff": "0.1s"},
    });
    let request = Request::post(format!("{}/v2/{location}/queues", engine.url()))
        .body(Full::<bytes::Bytes>::from(queue.to_string()))
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    assert_eq!(client.request(request).await.unwrap().status(), StatusCode::OK);
    // Its key takes a while to make, which is not to hold up the first calls.
    let keys = format!("{}/jwks", engine.url()).parse().unwrap();
    assert_eq!(client.get(keys).await.unwrap().status(), StatusCode::OK);
}

/// Every kind of fault came, and of those that can arrive all the same some did.
fn assert_every_kind(faults: &Faults, silent: &[Fault]) {
    for fault in [Fault::Error500, Fault::TimeOut, Fault::Reset, Fault::TooMany429] {
        let count = |arrives| faults.count(|of, how| of == fault && how == arrives);
        assert!(count(Arrives::Not) > 0, "{fault:?} never came");
        let arrived = count(Arrives::Yes) > 0;
        assert_eq!(arrived, !silent.contains(&fault), "{fault:?}: {faults}");
    }
    assert!(faults.count(|_, how| how == Arrives::Late) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enqueue_makes_one_task_or_tells_the_truth_about_it() {
    const REPEATED: u64 = 1000;
    const ONCE: u64 = 500;
    let stage = Stage::set(Side::Enqueue).await;

    let mut outcomes = stage.enqueue(0..REPEATED, with_retries()).await;
    outcomes.extend(
        stage
            .enqueue(REPEATED..REPEATED + ONCE, RetrySettings::off())
            .await,
    );
    let faults = stage.run_all().await;

    let (mut lost, mut double, mut ghosts, mut strangers) = (0, 0, 0, 0);
    let (mut errors, mut unclear) = (0, 0);
    for (number, outcome) in &outcomes {
        let ids = stage.journal.ids(*number);
        double += u32::from(ids.len() > 1);
        match outcome {
            Ok(enqueued) => {
                lost += u32::from(ids.is_empty());
                strangers += u32::from(!ids.is_empty() && !ids.contains(enqueued.id()));
            }
            Err(error) => {
                assert!(*number >= REPEATED, "{number} was given up: {error}");
                errors += 1;
                if error.may_have_taken_effect() {
                    unclear += 1;
                } else {
                    ghosts += u32::from(!ids.is_empty());
                }
            }
        }
    }
    println!(
        "enqueue: {} tasks, {faults}; {errors} errors ({unclear} unclear), lost {lost}, double {double}, \
         denied but there {ghosts}, under another id {strangers}",
        outcomes.len()
    );
    assert_every_kind(&faults, &[Fault::TooMany429]);
    assert!(unclear > 0 && errors > unclear, "{errors} {unclear}");
    assert_eq!((lost, double, ghosts, strangers), (0, 0, 0, 0));
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_task_runs_whatever_happens_to_its_requests_and_their_answers() {
    const TASKS: u64 = 1000;
    let stage = Stage::set(Side::Callback).await;

    let outcomes = stage.enqueue(0..TASKS, with_retries()).await;
    let faults = stage.run_all().await;

    let (mut lost, mut double) = (0, 0);
    for (number, outcome) in &outcomes {
        let ids = stage.journal.ids(*number);
        assert!(outcome.is_ok(), "{outcome:?}");
        lost += u32::from(ids.is_empty());
        double += u32::from(ids.len() > 1);
    }
    let duplicates = stage.journal.runs() - outcomes.len();
    println!(
        "callback: {} tasks, {faults}; lost {lost}, double {double}, run again {duplicates}",
        outcomes.len()
    );
    assert_every_kind(&faults, &[]);
    assert_eq!((lost, double), (0, 0));
    // What arrived and was not believed is run once more, and nothing else is.
    assert_eq!(duplicates, faults.count(|_, arrives| arrives != Arrives::Not));
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_delivered_whatever_happens_to_its_pushes_and_their_answers() {
    const MESSAGES: u64 = 1000;
    let stage = Stage::set(Side::Push).await;

    let published: Vec<_> = stream::iter(0..MESSAGES)
        .map(|number| Fact { number }.sync().on(&stage.local).into_future())
        .buffer_unordered(32)
        .collect()
        .await;
    let faults = stage.run_all().await;

    assert!(published.iter().all(Result::is_ok), "{published:?}");
    let lost = (0..MESSAGES).filter(|number| stage.journal.ids(*number).is_empty());
    let lost = lost.count();
    let duplicates = stage.journal.runs() - published.len();
    println!("push: {MESSAGES} messages, {faults}; lost {lost}, delivered again {duplicates}");
    assert_every_kind(&faults, &[]);
    assert!(faults.count(|of, _| of == Fault::HalfAnswer) > 0);
    assert_eq!(lost, 0);
    // What arrived and was not believed is delivered once more, and nothing else is.
    assert_eq!(duplicates, faults.count(|_, arrives| arrives != Arrives::Not));
    stage.strike().await;
}
