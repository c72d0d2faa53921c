//! What is repeated, for how long, and what is said of the task.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use cloud_tasks::backend::{Google, RetrySettings};
use cloud_tasks::task::{Enqueue, Enqueued};
use cloud_tasks::{Error, ErrorKind, Runtime};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::support::api::{QUEUES, config, created, google, refused, sent};
use crate::tasks::welcome;

/// Repeats at once, for as long as any test takes.
pub(crate) const AT_ONCE: RetrySettings = RetrySettings {
    initial: Duration::from_millis(1),
    maximum: Duration::from_millis(1),
    multiplier: 1.0,
    deadline: Duration::from_secs(600),
};

/// Repeats at once, and soon gives up.
pub(crate) const BRIEFLY: RetrySettings = RetrySettings {
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
pub(crate) async fn end_of(enqueue: Enqueue) -> Result<Enqueued, Error> {
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
pub(crate) async fn api(answers: impl IntoIterator<Item = ResponseTemplate>) -> MockServer {
    let api = MockServer::start().await;
    Mock::given(any())
        .respond_with(InTurn(Mutex::new(answers.into_iter().collect())))
        .mount(&api)
        .await;
    api
}

pub(crate) fn unavailable() -> ResponseTemplate {
    refused(503, "UNAVAILABLE", "The service is unavailable.")
}

pub(crate) fn exists() -> ResponseTemplate {
    refused(409, "ALREADY_EXISTS", "Requested entity already exists")
}

/// The names of the tasks that the API was asked for.
pub(crate) async fn names(api: &MockServer) -> Vec<Value> {
    api.received_requests()
        .await
        .unwrap()
        .iter()
        .map(|request| sent(request)["task"]["name"].clone())
        .collect()
}

/// Enqueues where the API first gives these answers; the outcome, and the names that were asked for.
pub(crate) async fn enqueue_after(
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
