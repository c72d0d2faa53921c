//! The Google backend when answers are unclear: what it repeats, what it says of the task, how many calls it makes at once.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cloud_tasks::backend::{Google, RetrySettings};
use cloud_tasks::task::{Enqueue, Enqueued};
use cloud_tasks::{Config, Error, ErrorKind, PublisherTask, Runtime, Task, task};
use futures_util::future;
use google_cloud_auth::credentials::{CacheableResource, CredentialsProvider};
use google_cloud_auth::errors::CredentialsError;
use http::{Extensions, HeaderMap};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::support::api::{QUEUES, config, created, google, refused, sent};
use crate::support::peer::{Act, Nobody, Peer};
use crate::tasks::{Welcome, welcome};

/// Repeats at once, for as long as any test takes.
const AT_ONCE: RetrySettings = RetrySettings {
    initial: Duration::from_millis(1),
    maximum: Duration::from_millis(1),
    multiplier: 1.0,
    deadline: Duration::from_secs(600),
};

/// Repeats at once, and soon gives up.
const BRIEFLY: RetrySettings = RetrySettings {
    deadline: Duration::from_millis(50),
    ..AT_ONCE
};

pub(crate) async fn runtime(google: Google, retry: RetrySettings) -> Runtime {
    Runtime::builder()
        .config(config().with_enqueue_retry(retry))
        .google(google)
        .build()
        .await
        .unwrap()
}

/// What a call that ends by itself comes to.
async fn end_of(enqueue: Enqueue) -> Result<Enqueued, Error> {
    tokio::time::timeout(Duration::from_secs(60), enqueue.into_future())
        .await
        .expect("the call never ends")
}

/// Answers in turn; after the last of them tasks are created.
struct InTurn(Mutex<VecDeque<ResponseTemplate>>);

impl Respond for InTurn {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        self.0
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or_else(|| created(request))
    }
}

/// An API that first answers these.
async fn api(answers: impl IntoIterator<Item = ResponseTemplate>) -> MockServer {
    let api = MockServer::start().await;
    Mock::given(any())
        .respond_with(InTurn(Mutex::new(answers.into_iter().collect())))
        .mount(&api)
        .await;
    api
}

fn unavailable() -> ResponseTemplate {
    refused(503, "UNAVAILABLE", "The service is unavailable.")
}

fn exists() -> ResponseTemplate {
    refused(409, "ALREADY_EXISTS", "Requested entity already exists")
}

/// The names of the tasks that the API was asked for.
async fn names(api: &MockServer) -> Vec<Value> {
    api.received_requests()
        .await
        .unwrap()
        .iter()
        .map(|request| sent(request)["task"]["name"].clone())
        .collect()
}

/// Enqueues where the API first gives these answers; the outcome, and the names that were asked for.
async fn enqueue_after(
    answers: impl IntoIterator<Item = ResponseTemplate>,
    retry: RetrySettings,
    enqueue: Enqueue,
) -> (Result<Enqueued, Error>, Vec<Value>) {
    let api = api(answers).await;
    let runtime = runtime(google(api.uri()), retry).await;

    let outcome = enqueue.on(&runtime).await;

    (outcome, names(&api).await)
}

#[tokio::test]
async fn a_call_that_got_no_clear_answer_is_repeated_with_the_same_name() {
    let (outcome, names) = enqueue_after([unavailable(), unavailable()], AT_ONCE, welcome()).await;

    let enqueued = outcome.unwrap();
    let name = json!(format!("{QUEUES}/emails/tasks/{}", enqueued.id()));
    assert_eq!(names, [name.clone(), name.clone(), name]);
    assert!(!enqueued.duplicate());
}

#[tokio::test]
async fn a_task_that_exists_on_a_repeat_is_the_one_of_this_call() {
    let (outcome, names) = enqueue_after([unavailable(), exists()], AT_ONCE, welcome()).await;

    let enqueued = outcome.unwrap();
    assert!(!enqueued.duplicate());
    let name = json!(format!("{QUEUES}/emails/tasks/{}", enqueued.id()));
    assert_eq!(names, [name.clone(), name]);
}

#[tokio::test]
async fn a_given_id_that_exists_on_a_retry_is_not_a_duplicate_either() {
    let enqueue = welcome().task_id("welcome-7");

    let (outcome, names) = enqueue_after([unavailable(), exists()], AT_ONCE, enqueue).await;

    let enqueued = outcome.unwrap();
    assert_eq!((enqueued.id(), enqueued.duplicate()), ("welcome-7", false));
    assert_eq!(names.len(), 2);
}

#[tokio::test]
async fn a_given_id_that_exists_at_the_first_try_is_a_duplicate() {
    let enqueue = welcome().task_id("welcome-7");

    let (outcome, names) = enqueue_after([exists()], AT_ONCE, enqueue).await;

    let enqueued = outcome.unwrap();
    assert_eq!(
        (enqueued.queue(), enqueued.id(), enqueued.duplicate()),
        ("emails", "welcome-7", true)
    );
    assert_eq!(names.len(), 1);
}

#[tokio::test]
async fn an_id_of_the_client_that_exists_is_never_a_duplicate() {
    let (outcome, names) = enqueue_after([exists()], AT_ONCE, welcome()).await;

    assert!(!outcome.unwrap().duplicate());
    assert_eq!(names.len(), 1);
}

#[tokio::test]
async fn a_given_id_that_exists_is_a_duplicate_without_retries_too() {
    let enqueue = welcome().task_id("welcome-7");

    let (outcome, _) = enqueue_after([exists()], RetrySettings::off(), enqueue).await;

    assert!(outcome.unwrap().duplicate());
}

#[tokio::test]
async fn a_given_id_that_exists_after_a_refusal_that_created_nothing_is_a_duplicate() {
    let too_many = refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded.");
    let enqueue = welcome().task_id("welcome-7");

    let (outcome, _) = enqueue_after([too_many, exists()], AT_ONCE, enqueue).await;

    assert!(outcome.unwrap().duplicate());
}

#[tokio::test]
async fn every_answer_that_may_pass_is_repeated() {
    for (http, code) in [
        (429, "RESOURCE_EXHAUSTED"),
        (409, "ABORTED"),
        (500, "INTERNAL"),
        (500, "UNKNOWN"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
        (499, "CANCELLED"),
    ] {
        let answer = refused(http, code, "Try again.");

        let (outcome, names) = enqueue_after([answer], AT_ONCE, welcome()).await;

        assert!(outcome.is_ok(), "{code}: {outcome:?}");
        assert_eq!(names.len(), 2, "{code}");
        assert_eq!(names[0], names[1], "{code}");
    }
}

#[tokio::test]
async fn every_answer_of_a_proxy_that_may_pass_is_repeated() {
    for http in [408, 429, 500, 502, 503, 504] {
        let page = ResponseTemplate::new(http).set_body_string("<html>Bad gateway</html>");

        let (outcome, names) = enqueue_after([page], AT_ONCE, welcome()).await;

        assert!(outcome.is_ok(), "{http}: {outcome:?}");
        assert_eq!(names.len(), 2, "{http}");
    }
}

#[tokio::test]
async fn an_answer_that_never_changes_is_not_repeated() {
    for (http, code) in [
        (400, "INVALID_ARGUMENT"),
        (400, "FAILED_PRECONDITION"),
        (400, "OUT_OF_RANGE"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (501, "UNIMPLEMENTED"),
    ] {
        let answer = refused(http, code, "Never.");

        let (outcome, names) = enqueue_after([answer], AT_ONCE, welcome()).await;

        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rejected, "{code}: {error}");
        assert!(!error.may_have_taken_effect(), "{code}");
        assert_eq!(names.len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_refusal_after_an_unclear_answer_leaves_open_whether_the_task_exists() {
    let gone = refused(404, "NOT_FOUND", "Requested entity was not found.");

    let (outcome, names) = enqueue_after([unavailable(), gone], AT_ONCE, welcome()).await;

    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.may_have_taken_effect());
    assert!(
        format!("{error:#}").starts_with(
            "task Welcome may have been created in queue emails, but there was no clear response: "
        ),
        "{error}"
    );
    assert_eq!(names.len(), 2);
}

#[tokio::test]
async fn a_service_that_stays_unavailable_is_given_up_at_the_deadline() {
    let api = MockServer::start().await;
    Mock::given(any())
        .respond_with(unavailable())
        .expect(1..)
        .mount(&api)
        .await;
    let runtime = runtime(google(api.uri()), BRIEFLY).await;

    let error = end_of(welcome().on(&runtime)).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.may_have_taken_effect());
    assert!(
        format!("{error:#}").contains("The service is unavailable."),
        "{error}"
    );
}

#[tokio::test]
async fn a_quota_that_stays_exhausted_means_that_nothing_was_created() {
    let api = MockServer::start().await;
    Mock::given(any())
        .respond_with(refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded."))
        .mount(&api)
        .await;
    let runtime = runtime(google(api.uri()), BRIEFLY).await;

    let error = end_of(welcome().on(&runtime)).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!error.may_have_taken_effect(), "{error}");
}

#[tokio::test]
async fn without_retries_an_unclear_answer_is_reported_after_one_call_without_a_name() {
    let (outcome, names) = enqueue_after([unavailable()], RetrySettings::off(), welcome()).await;

    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.may_have_taken_effect());
    assert_eq!(names, [Value::Null]);
}

#[tokio::test]
async fn no_pause_is_longer_than_the_longest() {
    let settings = RetrySettings {
        initial: Duration::from_secs(3600),
        ..AT_ONCE
    };

    let (outcome, names) = enqueue_after([unavailable()], settings, welcome()).await;

    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(names.len(), 2);
}

#[tokio::test]
async fn a_pause_that_would_pass_the_deadline_is_not_waited_for() {
    let settings = RetrySettings {
        initial: Duration::from_secs(3600),
        maximum: Duration::from_secs(3600),
        ..AT_ONCE
    };

    let (outcome, names) = enqueue_after([unavailable()], settings, welcome()).await;

    assert!(outcome.unwrap_err().is_unavailable());
    assert_eq!(names.len(), 1);
}

#[tokio::test]
async fn pauses_of_any_length_are_no_reason_to_panic() {
    let settings = RetrySettings {
        initial: Duration::MAX,
        maximum: Duration::MAX,
        multiplier: f64::MAX,
        deadline: Duration::MAX,
    };

    let (outcome, names) = enqueue_after([exists()], settings, welcome().task_id("welcome-7")).await;

    assert!(outcome.unwrap().duplicate());
    assert_eq!(names.len(), 1);
}

fn created_by_hand() -> Act {
    Act::answer(
        200,
        &json!({"name": format!("{QUEUES}/emails/tasks/by-hand")}).to_string(),
    )
}

fn exists_by_hand() -> Act {
    let error = json!({"error": {"code": 409, "message": "exists", "status": "ALREADY_EXISTS"}});
    Act::answer(409, &error.to_string())
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_open_whether_the_task_exists() {
    let peer = Peer::start([Act::Reset]).await;
    let runtime = runtime(google(peer.url()), RetrySettings::off()).await;

    let error = welcome().on(&runtime).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.may_have_taken_effect(), "{error}");
    assert_eq!(peer.bodies().len(), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_repeated_with_the_same_name() {
    let peer = Peer::start([Act::Reset, exists_by_hand()]).await;
    let runtime = runtime(google(peer.url()), AT_ONCE).await;

    let enqueued = welcome().on(&runtime).await.unwrap();

    assert!(!enqueued.duplicate());
    let bodies = peer.bodies();
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn a_peer_that_never_answers_is_given_up_after_the_time_of_an_attempt() {
    let peer = Peer::start([Act::Nothing]).await;
    let google = google(peer.url()).attempt_timeout(Duration::from_millis(50));
    let runtime = runtime(google, RetrySettings::off()).await;

    let error = end_of(welcome().on(&runtime)).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.may_have_taken_effect(), "{error}");
}

#[tokio::test]
async fn a_peer_that_never_answers_is_asked_again_until_the_deadline() {
    let peer = Peer::start([Act::Nothing]).await;
    let google = google(peer.url()).attempt_timeout(Duration::from_millis(50));
    let retry = RetrySettings {
        deadline: Duration::from_millis(200),
        ..AT_ONCE
    };
    let runtime = runtime(google, retry).await;

    let error = end_of(welcome().on(&runtime)).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.may_have_taken_effect(), "{error}");
}

#[tokio::test]
async fn a_peer_where_nobody_listens_created_nothing() {
    let nobody = Nobody::take();
    let runtime = runtime(google(nobody.url()), BRIEFLY).await;

    let error = end_of(welcome().on(&runtime)).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!error.may_have_taken_effect(), "{error}");
    assert!(
        format!("{error:#}").starts_with("task Welcome was not created in queue emails: "),
        "{error}"
    );
}

/// Is published to an emulator.
#[derive(Deserialize, Serialize)]
struct Said;

#[task(topic = "said")]
impl PublisherTask for Said {}

#[tokio::test]
async fn a_refused_connection_to_an_emulator_names_its_variable() {
    let (tasks, messages) = (Nobody::take(), Nobody::take());
    let host = |nobody: &Nobody| nobody.url().trim_start_matches("http://").to_owned();
    let config = Config::default()
        .with_endpoint("https://shop.example")
        .with_cloud_tasks_emulator_host(host(&tasks))
        .with_pubsub_emulator_host(host(&messages))
        .with_enqueue_retry(RetrySettings::off());
    let runtime = Runtime::builder().config(config).build().await.unwrap();
    let queue = runtime.queue("emails");

    // At once, since some are repeated for seconds.
    let setup = runtime.setup().only_subscribers();
    let (enqueued, got, paused, published, listed, planned) = tokio::join!(
        welcome().on(&runtime).into_future(),
        queue.get("a"),
        queue.pause(),
        Said.sync().on(&runtime).into_future(),
        runtime.dead_tasks("dead").list().into_future(),
        setup.plan(),
    );

    for (what, variable, result) in [
        ("an enqueue", "CLOUD_TASKS_EMULATOR_HOST", enqueued.map(drop)),
        ("a task", "CLOUD_TASKS_EMULATOR_HOST", got.map(drop)),
        ("a pause", "CLOUD_TASKS_EMULATOR_HOST", paused),
        ("a message", "PUBSUB_EMULATOR_HOST", published.map(drop)),
        ("dead tasks", "PUBSUB_EMULATOR_HOST", listed.map(drop)),
        ("a plan", "PUBSUB_EMULATOR_HOST", planned.map(drop)),
    ] {
        let error = result.unwrap_err();
        assert!(error.to_string().contains(variable), "{what}: {error:#}");
        assert!(!error.may_have_taken_effect(), "{what}: {error:#}");
    }
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let peer = Peer::start([Act::half_an_answer(), exists_by_hand()]).await;
    let runtime = runtime(google(peer.url()), AT_ONCE).await;

    let enqueued = welcome().on(&runtime).await.unwrap();

    assert!(!enqueued.duplicate());
    assert_eq!(peer.bodies().len(), 2);
}

/// Answers with the status of a success that are no task.
const UNREADABLE: [&str; 5] = [
    "<html>Welcome to the hotel</html>",
    "",
    "[]",
    "{\"name\": 7}",
    "{\"name\": \"proj",
];

/// The id is ours: a repeat creates no second task.
#[tokio::test]
async fn an_answer_that_is_not_understood_is_repeated_with_the_same_name() {
    for body in UNREADABLE {
        for status in [200, 201, 202] {
            let unreadable = Act::answer(status, body);
            let peer = Peer::start([unreadable.clone(), unreadable, exists_by_hand()]).await;
            let runtime = runtime(google(peer.url()), AT_ONCE).await;

            let enqueued = welcome().task_id("welcome-7").on(&runtime).await.unwrap();

            assert!(!enqueued.duplicate(), "{status} {body}");
            let bodies = peer.bodies();
            assert_eq!(bodies.len(), 3, "{status} {body}");
            assert!(bodies.iter().all(|sent| *sent == bodies[0]), "{status} {body}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_never_understood_leaves_open_whether_the_task_exists() {
    for body in UNREADABLE {
        let peer = Peer::start([Act::answer(200, body)]).await;
        let runtime = runtime(google(peer.url()), BRIEFLY).await;

        let error = end_of(welcome().on(&runtime)).await.unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Unavailable, "{body}: {error}");
        assert!(error.may_have_taken_effect(), "{body}: {error}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_understood_leaves_open_whether_the_task_exists() {
    for body in UNREADABLE {
        let peer = Peer::start([Act::answer(200, body)]).await;
        let runtime = runtime(google(peer.url()), RetrySettings::off()).await;

        let error = welcome().on(&runtime).await.unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Unavailable, "{body}: {error}");
        assert!(error.may_have_taken_effect(), "{body}: {error}");
    }
}

#[tokio::test]
async fn a_receipt_has_the_id_that_was_sent_if_the_answer_has_none() {
    let peer = Peer::start([Act::answer(200, "{}")]).await;
    let runtime = runtime(google(peer.url()), AT_ONCE).await;

    let enqueued = welcome().task_id("welcome-7").on(&runtime).await.unwrap();

    assert_eq!(enqueued.id(), "welcome-7");
}

#[tokio::test]
async fn a_peer_that_closes_every_connection_is_called_on_new_ones() {
    let peer = Peer::start([created_by_hand()]).await;
    let runtime = runtime(google(peer.url()), RetrySettings::off()).await;

    for _ in 0..5 {
        let enqueued = welcome().on(&runtime).await.unwrap();
        assert_eq!(enqueued.id(), "by-hand");
    }

    assert_eq!(peer.bodies().len(), 5);
}

/// Credentials that fail, for good or for a while, and then give nothing to sign with.
#[derive(Debug)]
struct Failing {
    passing: bool,
    failures: AtomicUsize,
    asked: Arc<AtomicUsize>,
}

impl CredentialsProvider for Failing {
    async fn headers(&self, _: Extensions) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let left = self
            .failures
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        match left {
            Ok(_) => Err(CredentialsError::from_msg(self.passing, "no token today")),
            Err(_) => Ok(CacheableResource::New {
                entity_tag: google_cloud_auth::credentials::EntityTag::new(),
                data: HeaderMap::new(),
            }),
        }
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

#[tokio::test]
async fn credentials_that_fail_for_a_while_are_asked_again() {
    let api = api([]).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let credentials = Failing {
        passing: true,
        failures: AtomicUsize::new(2),
        asked: Arc::clone(&asked),
    };
    let runtime = runtime(google(api.uri()).credentials(credentials), AT_ONCE).await;

    welcome().on(&runtime).await.unwrap();

    assert_eq!(asked.load(Ordering::Relaxed), 3);
    assert_eq!(names(&api).await.len(), 1);
}

#[tokio::test]
async fn credentials_that_fail_for_good_are_asked_once_and_nothing_is_created() {
    let api = api([]).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let credentials = Failing {
        passing: false,
        failures: AtomicUsize::new(usize::MAX),
        asked: Arc::clone(&asked),
    };
    let runtime = runtime(google(api.uri()).credentials(credentials), AT_ONCE).await;

    let error = welcome().on(&runtime).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Rejected, "{error}");
    assert!(!error.may_have_taken_effect());
    assert!(format!("{error:#}").contains("no token today"), "{error:#}");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(names(&api).await.len(), 0);
}

/// An API that keeps its connections open, and counts them and the calls on them.
struct CountingApi {
    url: String,
    counts: Arc<Counts>,
    _connections: JoinSet<()>,
}

#[derive(Debug)]
struct Counts {
    /// No call is answered before so many are there; fewer at once would never end.
    together: Barrier,
    connections: AtomicUsize,
    calls: AtomicUsize,
    calls_at_once: AtomicUsize,
    most_calls_at_once: AtomicUsize,
}

impl CountingApi {
    async fn start(together: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let counts = Arc::new(Counts {
            together: Barrier::new(together),
            connections: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            calls_at_once: AtomicUsize::new(0),
            most_calls_at_once: AtomicUsize::new(0),
        });
        let counted = Arc::clone(&counts);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.connections.fetch_add(1, Ordering::SeqCst);
                let counts = Arc::clone(&counted);
                let service = service_fn(move |request| create(Arc::clone(&counts), request));
                connections.spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    // Ends when the client closes, in whatever way.
                    let _ = connection.await;
                });
            }
        });
        Self {
            url,
            counts,
            _connections: accepting,
        }
    }
}

async fn create(
    counts: Arc<Counts>,
    request: http::Request<hyper::body::Incoming>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    counts.calls.fetch_add(1, Ordering::SeqCst);
    let at_once = counts.calls_at_once.fetch_add(1, Ordering::SeqCst) + 1;
    counts.most_calls_at_once.fetch_max(at_once, Ordering::SeqCst);
    let body = request.into_body().collect().await.unwrap().to_bytes();
    counts.together.wait().await;
    let mut body: Value = serde_json::from_slice(&body).unwrap();
    let task = body["task"].take().to_string();
    counts.calls_at_once.fetch_sub(1, Ordering::SeqCst);
    Ok(http::Response::new(Full::new(task.into())))
}

/// Enqueues a thousand tasks at once, all of which succeed, with at most 8 calls in flight.
///
/// They are answered in groups of `together`.
async fn a_thousand_at_once(together: usize) -> Arc<Counts> {
    let api = CountingApi::start(together).await;
    let google = google(api.url.as_str()).calls_in_flight(8);
    let runtime = runtime(google, AT_ONCE).await;

    let calls = (0..1000).map(|user_id| runtime.spawn(Welcome { user_id }.asap()));
    let outcomes = future::join_all(calls).await;

    let ids: HashSet<_> = outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap().unwrap().id().to_owned())
        .collect();
    assert_eq!(ids.len(), 1000);
    Arc::clone(&api.counts)
}

fn count(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::SeqCst)
}

#[tokio::test]
async fn a_thousand_tasks_at_once_take_no_more_connections_than_calls_in_flight() {
    let counts = a_thousand_at_once(8).await;

    assert_eq!(count(&counts.calls), 1000);
    assert_eq!(count(&counts.most_calls_at_once), 8);
    assert!(count(&counts.connections) <= 8, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_tasks_at_once_on_many_threads_are_as_many_calls_as_may_be_in_flight() {
    let counts = a_thousand_at_once(8).await;

    assert_eq!(count(&counts.calls), 1000);
    assert_eq!(count(&counts.most_calls_at_once), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_tasks_at_once_on_many_threads_take_no_more_connections_than_calls_in_flight() {
    let counts = a_thousand_at_once(1).await;

    assert!(count(&counts.connections) <= 8, "{counts:?}");
}

#[tokio::test]
async fn a_call_that_was_cut_short_frees_its_place() {
    let mut peer = Peer::start([Act::Nothing, Act::Nothing, created_by_hand()]).await;
    let runtime = runtime(google(peer.url()).calls_in_flight(1), RetrySettings::off()).await;

    for _ in 0..2 {
        let call = runtime.spawn(welcome());
        peer.wait_for_a_request().await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
    let enqueued = welcome().on(&runtime).await.unwrap();

    assert_eq!(enqueued.id(), "by-hand");
}

#[tokio::test]
async fn a_pause_of_zero_is_not_taken_literally() {
    let api = MockServer::start().await;
    Mock::given(any()).respond_with(unavailable()).mount(&api).await;
    let retry = RetrySettings {
        initial: Duration::ZERO,
        maximum: Duration::ZERO,
        multiplier: 1.0,
        deadline: Duration::from_millis(300),
    };
    let runtime = runtime(google(api.uri()), retry).await;

    let error = end_of(welcome().on(&runtime)).await.unwrap_err();

    assert!(error.is_unavailable());
    // Half of the shortest pause is jitter.
    let calls = api.received_requests().await.unwrap().len();
    assert!((2..=25).contains(&calls), "{calls}");
}
