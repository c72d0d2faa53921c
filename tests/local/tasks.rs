//! The full circle: tasks go to the local engine, and come back over HTTP to a server in this process.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cloud_tasks::backend::{LocalEngine, RetrySettings};
use cloud_tasks::task::{Enqueue, Enqueued, TaskMetadata};
use cloud_tasks::{Config, Context, Discard, ErrorKind, Runtime, Task, TaskResult, task};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::dependencies::with_dependencies;
use crate::support::server::{Port, Server};
use crate::support::wait::{next, within};

/// What the tasks of a test have done so far, in order.
#[derive(Clone)]
pub(crate) struct Journal {
    events: mpsc::UnboundedSender<Event>,
}

#[derive(Debug)]
enum Event {
    /// A task started an attempt at this time.
    Started(&'static str, TaskMetadata, SystemTime),
    /// A task was dropped before its end.
    CutOff,
}

impl Journal {
    /// One that nobody reads.
    pub(crate) fn unread() -> Self {
        let (events, _) = mpsc::unbounded_channel();
        Self { events }
    }

    fn started<S>(&self, task: &'static str, cx: &Context<S>) {
        self.tell(Event::Started(task, cx.metadata().clone(), SystemTime::now()));
    }

    fn tell(&self, event: Event) {
        // A test may be over by now.
        let _ = self.events.send(event);
    }
}

/// Tells that the task that holds it was dropped: it never ends by itself.
struct TellsCutOff(Journal);

impl Drop for TellsCutOff {
    fn drop(&mut self) {
        self.0.tell(Event::CutOff);
    }
}

/// Succeeds at once.
#[derive(Serialize, Deserialize)]
struct Greet;

#[task]
impl Task for Greet {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        cx.state().started("Greet", &cx);
        Ok(())
    }
}

/// How an attempt that does not succeed ends.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Fails {
    WithAnError,
    WithAPanic,
    Never,
}

/// Fails in this way so many times, then succeeds.
#[derive(Serialize, Deserialize)]
struct Stumble {
    fails: Fails,
    times: u32,
}

#[task]
impl Task for Stumble {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        cx.state().started("Stumble", &cx);
        if cx.metadata().attempt() > self.times {
            return Ok(());
        }
        match self.fails {
            Fails::WithAnError => Err("stumbled")?,
            Fails::WithAPanic => panic!("stumbled"),
            Fails::Never => {
                let _cut_off = TellsCutOff(cx.state().clone());
                pending().await
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
struct GiveUp;

#[task]
impl Task for GiveUp {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        cx.state().started("GiveUp", &cx);
        Err(Discard::new("there is nothing to do"))?
    }
}

/// Arguments of any size.
#[derive(Serialize, Deserialize)]
struct Blob {
    text: String,
}

impl Blob {
    fn of(length: usize) -> Self {
        Self {
            text: "x".repeat(length),
        }
    }
}

#[task]
impl Task for Blob {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        cx.state().started("Blob", &cx);
        Ok(())
    }
}

/// Enqueues a note.
#[derive(Serialize, Deserialize)]
struct PassOn;

#[task]
impl Task for PassOn {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        cx.state().started("PassOn", &cx);
        let _enqueued = Greet.asap().await?;
        Ok(())
    }
}

/// A service with a local engine: both on ports of their own.
struct Stage {
    runtime: Runtime,
    engine: LocalEngine,
    endpoint: String,
    events: mpsc::UnboundedReceiver<Event>,
    /// The headers of the requests that the server got, in order.
    requests: Arc<Mutex<Vec<HeaderMap>>>,
    server: Server,
}

impl Stage {
    async fn set() -> Self {
        Self::set_with(Config::default(), "").await
    }

    /// Starts a service whose endpoint has this path.
    async fn set_with(config: Config, path: &str) -> Self {
        let port = Port::open().await;
        let endpoint = format!("{}{path}", port.url());
        let (sender, events) = mpsc::unbounded_channel();
        let (runtime, engine) = with_dependencies(Runtime::local())
            .config(
                config
                    .with_endpoint(endpoint.as_str())
                    .with_enqueue_retry(RetrySettings::off()),
            )
            .state(Journal { events: sender })
            .build()
            .await
            .unwrap();
        let requests = Arc::<Mutex<Vec<HeaderMap>>>::default();
        let app = Router::new()
            .route("/pass-on", post(pass_on))
            .layer(runtime.layer())
            .layer(middleware::from_fn_with_state(
                Arc::clone(&requests),
                note_headers,
            ));
        let server = port.serve(app);
        Self {
            runtime,
            engine,
            endpoint,
            events,
            requests,
            server,
        }
    }

    async fn enqueue(&self, enqueue: Enqueue) -> Enqueued {
        enqueue.on(&self.runtime).await.unwrap()
    }

    async fn wait_idle(&self, queue: &str) {
        within(self.engine.wait_idle(queue)).await.unwrap();
    }

    async fn next_event(&mut self) -> Event {
        next(&mut self.events).await
    }

    /// The attempts that started, once a queue is empty: their tasks' names and what was said of them.
    async fn attempts(&mut self, queue: &str) -> Vec<(&'static str, TaskMetadata)> {
        self.wait_idle(queue).await;
        let mut attempts = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            if let Event::Started(task, metadata, _) = event {
                attempts.push((task, metadata));
            }
        }
        attempts
    }

    fn requests(&self) -> Vec<HeaderMap> {
        self.requests.lock().unwrap().clone()
    }

    async fn strike(self) {
        within(self.engine.stop()).await;
        self.server.stop().await;
    }
}

async fn note_headers(
    State(requests): State<Arc<Mutex<Vec<HeaderMap>>>>,
    request: Request,
    next: Next,
) -> Response {
    requests.lock().unwrap().push(request.headers().clone());
    next.run(request).await
}

async fn pass_on() -> Result<String, StatusCode> {
    let enqueued = PassOn
        .asap()
        .await
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(enqueued.id().to_owned())
}

/// Sends a request; the status and the JSON of the answer.
async fn call(request: http::Request<Full<Bytes>>) -> (StatusCode, Value) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = within(client.request(request)).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

fn numbers(attempts: &[(&'static str, TaskMetadata)]) -> Vec<u32> {
    attempts.iter().map(|(_, metadata)| metadata.attempt()).collect()
}

#[tokio::test]
async fn a_task_comes_back_with_its_queue_and_its_id() {
    let mut stage = Stage::set().await;

    let enqueued = stage.enqueue(Greet.asap()).await;

    let attempts = stage.attempts("tasks").await;
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    let (task, metadata) = &attempts[0];
    assert_eq!(*task, "Greet");
    assert_eq!(metadata.queue(), Some("tasks"));
    assert_eq!(metadata.id(), Some(enqueued.id()));
    assert_eq!((metadata.attempt(), metadata.retry_count()), (1, Some(0)));
    assert_eq!(metadata.previous_response(), None);
    stage.strike().await;
}

#[tokio::test]
async fn a_task_that_fails_twice_succeeds_in_its_third_attempt() {
    let mut stage = Stage::set().await;
    let stumble = Stumble {
        fails: Fails::WithAnError,
        times: 2,
    };

    let enqueued = stage.enqueue(stumble.asap()).await;

    let attempts = stage.attempts("tasks").await;
    assert_eq!(numbers(&attempts), [1, 2, 3]);
    for (_, metadata) in &attempts {
        assert_eq!(metadata.id(), Some(enqueued.id()));
    }
    let previous: Vec<_> = attempts
        .iter()
        .map(|(_, metadata)| metadata.previous_response())
        .collect();
    assert_eq!(previous, [None, Some(500), Some(500)]);
    stage.strike().await;
}

#[tokio::test]
async fn a_task_that_panics_is_tried_again() {
    let mut stage = Stage::set().await;
    let stumble = Stumble {
        fails: Fails::WithAPanic,
        times: 1,
    };

    stage.enqueue(stumble.asap()).await;

    let attempts = stage.attempts("tasks").await;
    assert_eq!(numbers(&attempts), [1, 2]);
    assert_eq!(attempts[1].1.previous_response(), Some(500));
    stage.strike().await;
}

#[tokio::test]
async fn a_task_that_gives_up_runs_once() {
    let mut stage = Stage::set().await;

    stage.enqueue(GiveUp.asap()).await;

    let attempts = stage.attempts("tasks").await;
    assert_eq!(numbers(&attempts), [1]);
    stage.strike().await;
}

#[tokio::test]
async fn a_delayed_task_does_not_run_before_its_time() {
    let mut stage = Stage::set().await;
    let asked = SystemTime::now() + Duration::from_millis(700);

    let enqueued = stage.enqueue(Greet.later(asked)).await;

    let due = enqueued.schedule_time().unwrap();
    assert!(is_close(due, asked), "{due:?} is not {asked:?}");
    let Event::Started(_, metadata, started) = stage.next_event().await else {
        panic!("it was cut off");
    };
    assert!(started >= due, "{started:?} is before {due:?}");
    let eta = metadata.eta().unwrap();
    assert!(is_close(eta, due), "{eta:?} is not {due:?}");
    stage.strike().await;
}

/// Whether two times are the same to the precision that Cloud Tasks keeps, and a header of decimal seconds tells.
fn is_close(one: SystemTime, other: SystemTime) -> bool {
    let apart = one
        .duration_since(other)
        .or_else(|_| other.duration_since(one))
        .unwrap();
    apart <= Duration::from_micros(2)
}

#[tokio::test]
async fn a_delayed_task_lets_those_behind_it_pass() {
    let mut stage = Stage::set().await;
    let in_an_hour = Duration::from_secs(3600);

    stage.enqueue(Greet.later(in_an_hour).task_id("late")).await;
    stage.enqueue(Greet.asap().task_id("soon")).await;

    let Event::Started(_, metadata, _) = stage.next_event().await else {
        panic!("it was cut off");
    };
    assert_eq!(metadata.id(), Some("soon"));
    stage.strike().await;
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_tried_again() {
    let mut stage = Stage::set().await;
    // Makes the queue, for the task below is not made by a call of this library: no call may be that impatient.
    stage.enqueue(Greet.asap()).await;
    stage.wait_idle("tasks").await;
    assert!(matches!(stage.next_event().await, Event::Started("Greet", ..)));
    let body = json!({"fails": "Never", "times": 1}).to_string();

    create_by_hand(
        &stage,
        json!({
            "url": format!("{}/tasks/Stumble", stage.endpoint),
            "headers": {"x-cloud-tasks-timeout": "0.05"},
            "body": STANDARD.encode(body),
            "oidcToken": {
                "serviceAccountEmail": "local@local.iam.gserviceaccount.com",
                "audience": stage.endpoint,
            },
        }),
    )
    .await;

    assert!(matches!(stage.next_event().await, Event::Started(..)));
    assert!(matches!(stage.next_event().await, Event::CutOff));
    let attempts = stage.attempts("tasks").await;
    assert_eq!(numbers(&attempts), [2]);
    assert_eq!(attempts[0].1.previous_response(), Some(504));
    stage.strike().await;
}

/// Creates a task in the queue `tasks` of the engine, whatever it asks for.
async fn create_by_hand(stage: &Stage, http_request: Value) {
    post_by_hand(
        stage,
        "queues/tasks/tasks",
        &json!({"task": {"httpRequest": http_request}}),
    )
    .await;
}

/// Calls the API of the engine, as another client of it would.
async fn post_by_hand(stage: &Stage, collection: &str, body: &Value) {
    let url = format!(
        "{}/v2/projects/local/locations/local/{collection}",
        stage.engine.url()
    );
    let request = http::Request::post(url)
        .header("content-type", "application/json")
        .body(body.to_string().into())
        .unwrap();

    let (status, answer) = call(request).await;

    assert_eq!(status, 200, "{answer}");
}

/// What a token says.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    email: String,
    email_verified: bool,
}

#[tokio::test]
async fn a_task_comes_back_with_a_token_that_the_engine_signed() {
    let account = "tasks@acme.iam.gserviceaccount.com";
    let stage = Stage::set_with(Config::default().with_service_account(account), "/jobs").await;

    stage.enqueue(Greet.asap()).await;

    stage.wait_idle("tasks").await;
    let authorization = stage.requests()[0]["authorization"].to_str().unwrap().to_owned();
    let claims = verified(&stage, authorization.strip_prefix("Bearer ").unwrap()).await;
    assert_eq!(claims.iss, stage.engine.url());
    assert_eq!(claims.aud, stage.endpoint);
    assert_eq!((claims.email.as_str(), claims.email_verified), (account, true));
    stage.strike().await;
}

/// The claims of a token, checked as a service should: against the keys of the engine, for this endpoint.
async fn verified(stage: &Stage, token: &str) -> Claims {
    let url = format!("{}/jwks", stage.engine.url());
    let (_, keys) = call(http::Request::get(url).body(Full::default()).unwrap()).await;
    let keys: JwkSet = serde_json::from_value(keys).unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    let key = keys.find(header.kid.as_deref().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.set_issuer(&[stage.engine.url()]);
    validation.set_audience(&[stage.endpoint.as_str()]);

    let token = jsonwebtoken::decode::<Claims>(token, &DecodingKey::from_jwk(key).unwrap(), &validation);

    token.unwrap().claims
}

#[tokio::test]
async fn the_token_is_kept_from_the_task() {
    let mut stage = Stage::set().await;

    stage.enqueue(Greet.asap()).await;

    let attempts = stage.attempts("tasks").await;
    assert!(stage.requests()[0].contains_key("authorization"));
    assert!(!attempts[0].1.headers().contains_key("authorization"));
    stage.strike().await;
}

#[tokio::test]
async fn a_second_task_of_an_id_is_a_duplicate_and_does_not_run() {
    let mut stage = Stage::set().await;

    let first = stage.enqueue(Greet.asap().task_id("once")).await;
    let second = stage.enqueue(Greet.asap().task_id("once")).await;
    let attempts = stage.attempts("tasks").await;
    let third = stage.enqueue(Greet.asap().task_id("once")).await;

    assert!(!first.duplicate());
    assert!(second.duplicate());
    assert!(third.duplicate(), "an id stays taken after its task ran");
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    assert_eq!(stage.attempts("tasks").await.len(), 0);
    stage.strike().await;
}

#[tokio::test]
async fn queues_are_made_as_tasks_go_to_them() {
    let mut stage = Stage::set().await;

    stage.enqueue(Greet.asap().queue("one").task_id("same")).await;
    stage.enqueue(Greet.asap().queue("two").task_id("same")).await;

    let mut attempts = stage.attempts("one").await;
    attempts.extend(stage.attempts("two").await);
    let mut queues: Vec<_> = attempts
        .iter()
        .map(|(_, metadata)| metadata.queue().unwrap())
        .collect();
    queues.sort_unstable();
    assert_eq!(queues, ["one", "two"]);
    stage.strike().await;
}

#[tokio::test]
async fn many_tasks_that_make_their_queue_at_once_all_run() {
    let mut stage = Stage::set().await;

    let calls = (0..50).map(|_| stage.runtime.spawn(Greet.asap().queue("new")));
    for call in futures_util::future::join_all(calls).await {
        assert!(!call.unwrap().unwrap().duplicate());
    }

    assert_eq!(stage.attempts("new").await.len(), 50);
    stage.strike().await;
}

#[tokio::test]
async fn a_queue_that_is_there_already_is_used() {
    let mut stage = Stage::set().await;
    let queue = json!({"name": "projects/local/locations/local/queues/there"});
    post_by_hand(&stage, "queues", &queue).await;

    stage.enqueue(Greet.asap().queue("there")).await;

    assert_eq!(stage.attempts("there").await.len(), 1);
    stage.strike().await;
}

#[tokio::test]
async fn a_queue_that_was_never_used_is_idle() {
    let stage = Stage::set().await;

    stage.wait_idle("never").await;

    assert_eq!(stage.requests().len(), 0);
    stage.strike().await;
}

#[tokio::test]
async fn a_trace_goes_through_a_chain_of_tasks() {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut stage = Stage::set().await;
    let request = http::Request::post(format!("{}/pass-on", stage.endpoint))
        .header("traceparent", trace)
        .header("cookie", "session=secret")
        .body(Full::default())
        .unwrap();

    let (status, _) = call(request).await;

    assert_eq!(status, 200);
    let attempts = stage.attempts("tasks").await;
    let seen: Vec<_> = attempts
        .iter()
        .map(|(task, metadata)| (*task, metadata.headers()["traceparent"].to_str().unwrap()))
        .collect();
    assert_eq!(seen, [("PassOn", trace), ("Greet", trace)]);
    assert!(
        attempts
            .iter()
            .all(|(_, metadata)| !metadata.headers().contains_key("cookie"))
    );
    stage.strike().await;
}

#[tokio::test]
async fn a_header_is_refused_or_arrives() {
    let mut stage = Stage::set().await;
    let mut lost = Vec::new();
    let long = "v".repeat(8180);
    for (name, value) in [
        ("x-request-id", "abc"),
        ("content-type", "application/vnd.acme+json"),
        ("accept-encoding", "br"),
        ("connection", "x-request-id"),
        ("from", "someone@acme.example"),
        ("keep-alive", "timeout=5"),
        ("proxy-authorization", "Basic abc"),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("upgrade", "h2c"),
        ("via", "1.1 proxy"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-googlebot", "yes"),
        ("x-appenginex", "yes"),
        ("x-empty", ""),
        ("x-long", &long),
        ("x-too-long", &long),
    ] {
        let enqueue = Greet.asap().header(name, value).on(&stage.runtime);
        match enqueue.await {
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{name}: {error}"),
            Ok(_) => {
                let attempts = stage.attempts("tasks").await;
                let arrived = attempts[0].1.headers().get(name);
                if arrived.is_none_or(|arrived| arrived != value) {
                    lost.push(name);
                }
            }
        }
    }

    assert_eq!(lost, Vec::<&str>::new(), "these were accepted and never arrived");
    stage.strike().await;
}

#[tokio::test]
async fn the_largest_task_that_is_accepted_arrives() {
    let config = Config::default()
        .with_project("acme")
        .with_location("europe-west1")
        .with_service_account("tasks@acme.iam.gserviceaccount.com");
    let mut stage = Stage::set_with(config.clone(), "").await;
    let recorded = Runtime::recorded().config(config.with_endpoint(stage.endpoint.as_str()));
    let (recorded, _recorder) = recorded.build().await.unwrap();
    let (mut accepted, mut refused) = (1_000_000, 1_048_576);
    while accepted + 1 < refused {
        let length = usize::midpoint(accepted, refused);
        match Blob::of(length).asap().task_id("blob").on(&recorded).await {
            Ok(_) => accepted = length,
            Err(_) => refused = length,
        }
    }

    let error = Blob::of(refused)
        .asap()
        .task_id("blob")
        .on(&stage.runtime)
        .await
        .unwrap_err();
    stage.enqueue(Blob::of(accepted).asap().task_id("blob")).await;

    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let attempts = stage.attempts("tasks").await;
    assert_eq!(numbers(&attempts), [1]);
    stage.strike().await;
}

#[tokio::test]
async fn engines_side_by_side_never_meet() {
    let (mut one, mut other) = (Stage::set().await, Stage::set().await);

    let first = one.enqueue(Greet.asap().task_id("same")).await;
    let second = other.enqueue(GiveUp.asap().task_id("same")).await;

    assert!(!first.duplicate() && !second.duplicate());
    assert_ne!(one.engine.url(), other.engine.url());
    let (ones, others) = (one.attempts("tasks").await, other.attempts("tasks").await);
    let names = |attempts: &[(&'static str, TaskMetadata)]| -> Vec<_> {
        attempts.iter().map(|(task, _)| *task).collect()
    };
    assert_eq!(names(&ones), ["Greet"]);
    assert_eq!(names(&others), ["GiveUp"]);
    one.strike().await;
    other.strike().await;
}

#[tokio::test]
async fn an_engine_that_stops_leaves_the_others_alone() {
    let (one, mut other) = (Stage::set().await, Stage::set().await);

    one.strike().await;
    other.enqueue(Greet.asap()).await;

    assert_eq!(other.attempts("tasks").await.len(), 1);
    other.strike().await;
}

#[tokio::test]
async fn a_stopped_engine_gives_its_port_back() {
    let stage = Stage::set().await;
    stage.enqueue(Greet.asap()).await;
    let address = address(&stage.engine);
    assert!(TcpStream::connect(address).await.is_ok());

    stage.strike().await;

    assert!(TcpListener::bind(address).await.is_ok());
}

fn address(engine: &LocalEngine) -> SocketAddr {
    engine.url().strip_prefix("http://").unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_engine_stops_with_an_attempt_under_way_and_cuts_it_off() {
    let mut stage = Stage::set().await;
    let stumble = Stumble {
        fails: Fails::Never,
        times: u32::MAX,
    };
    stage.enqueue(stumble.asap()).await;
    assert!(matches!(stage.next_event().await, Event::Started("Stumble", ..)));
    let Stage {
        engine,
        mut events,
        server: _server,
        ..
    } = stage;

    within(engine.stop()).await;

    let event = next(&mut events).await;
    assert!(matches!(event, Event::CutOff), "{event:?}");
}

#[tokio::test]
async fn an_engine_stops_with_tasks_that_wait() {
    let stage = Stage::set().await;
    stage.enqueue(Greet.later(Duration::from_secs(3600))).await;

    stage.strike().await;
}

#[tokio::test]
async fn an_engine_that_is_dropped_stops_too() {
    let stage = Stage::set().await;
    let address = address(&stage.engine);
    let mut connection = TcpStream::connect(address).await.unwrap();
    let Stage {
        engine,
        server: _server,
        ..
    } = stage;

    drop(engine);

    // The end of the engine is the end of this connection.
    let mut byte = [0];
    let read = within(tokio::io::AsyncReadExt::read(&mut connection, &mut byte)).await;
    assert!(matches!(read, Ok(0) | Err(_)));
}

#[tokio::test]
async fn a_mistake_leaves_no_engine_behind_and_names_what_is_wrong() {
    let error = Runtime::local()
        .config(Config::default().with_app_name("not a queue"))
        .build()
        .await
        .unwrap_err();

    assert!(error.is_build());
    let text = error.to_string();
    assert!(text.contains("\"not a queue\""), "{text}");
    assert!(text.contains("Journal"), "{text}");
}
