use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use bytes::Bytes;
use cloud_tasks::task::TaskMetadata;
use cloud_tasks::{Config, Context, Discard, RetryAfter, Runtime, Task, TaskResult, task};
use futures_util::stream;
use http::{HeaderMap, Method, Request};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::tasks::{Log, answer, post, send};

#[derive(Deserialize, Serialize)]
struct Act {
    how: String,
}

#[task(name = "Act.now")]
impl Task for Act {
    async fn run(self, _cx: Context) -> TaskResult<Value> {
        match self.how.as_str() {
            "fail" => Err("the password is hunter2")?,
            "discard" => Err(Discard::new("hunter2"))?,
            "discard with 204" => Err(Discard::new("hunter2").status(204)?)?,
            "discard with 500" => Err(Discard::new("hunter2").status(500)?)?,
            "wait" => Err(RetryAfter::new(Duration::from_millis(1500)))?,
            "wait for ever" => Err(RetryAfter::new(Duration::MAX))?,
            "panic" => panic!("hunter2"),
            _ => Ok(json!({"did": self.how})),
        }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    number: u8,
}

#[task]
impl Task for Strict {
    async fn run(self, _cx: Context) -> TaskResult<u8> {
        Ok(self.number)
    }
}

/// Never ends, and tells when it is cancelled.
#[derive(Deserialize, Serialize)]
struct Hang;

#[derive(Clone, Default)]
pub(crate) struct Cancelled(Arc<AtomicBool>);

struct Guard(Cancelled);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::SeqCst);
    }
}

#[task(timeout = "20s")]
impl Task for Hang {
    async fn run(self, cx: Context<Cancelled>) -> TaskResult {
        let _guard = Guard(cx.state().clone());
        std::future::pending().await
    }
}

/// Tells what its metadata say.
#[derive(Deserialize, Serialize)]
struct Tell {}

#[task]
impl Task for Tell {
    async fn run(self, cx: Context) -> TaskResult<String> {
        let metadata = cx.metadata();
        Ok(format!(
            "{:?} {:?} attempt {} ({:?}, {:?}) {:?} {:?} {:?} scheduled {} {:?} {:?}",
            metadata.queue(),
            metadata.id(),
            metadata.attempt(),
            metadata.retry_count(),
            metadata.execution_count(),
            metadata.eta().map(since_epoch),
            metadata.previous_response(),
            metadata.retry_reason(),
            metadata.is_scheduled(),
            metadata.job_name(),
            metadata.schedule_time().map(since_epoch),
        ))
    }
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

async fn runtime() -> Runtime {
    Runtime::eager()
        .state(Log::default())
        .state(Cancelled::default())
        .build()
        .await
        .unwrap()
}

async fn act(how: &str) -> (u16, Value) {
    answer(
        &runtime().await,
        post("/tasks/Act.now", json!({ "how": how }).to_string()),
    )
    .await
}

async fn tell(headers: &[(&'static str, &str)]) -> String {
    let mut request = post("/tasks/Tell", "{}");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    answer(&runtime().await, request).await.1["result"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_task_that_ran_answers_200_with_its_result() {
    let response = send(
        &runtime().await,
        post("/tasks/Add", r#"{"left": 40, "right": 2}"#),
    )
    .await;

    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(
        response.body(),
        &r#"{"result":"42 in attempt 1","status":"executed"}"#
    );
}

#[tokio::test]
async fn a_task_that_discarded_itself_answers_202_or_the_2xx_of_its_choice_and_no_reason() {
    let discarded = json!({"result": null, "status": "discarded"});

    assert_eq!(act("discard").await, (202, discarded));
    // A 204 has no body, which clients of HTTP/2 insist on.
    assert_eq!(act("discard with 204").await, (204, json!(null)));
}

#[tokio::test]
async fn a_discard_that_would_be_retried_is_refused_when_it_is_made() {
    assert_eq!(act("discard with 500").await.0, 500);
    assert_eq!(
        Discard::new("x").status(301).unwrap_err().to_string(),
        "a discard cannot answer 301: Cloud Tasks retries all but 200 to 299"
    );
}

#[tokio::test]
async fn a_task_that_failed_or_panicked_answers_500_and_no_details() {
    let failed = json!({"error": "Task Act.now failed", "status": "failed"});

    assert_eq!(act("fail").await, (500, failed.clone()));
    assert_eq!(act("panic").await, (500, failed));
}

#[tokio::test]
async fn a_task_that_asks_to_be_retried_later_answers_503_with_whole_seconds_rounded_up() {
    let request = post("/tasks/Act.now", r#"{"how": "wait"}"#);

    let response = send(&runtime().await, request).await;

    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "2");
    assert_eq!(
        response.body(),
        &r#"{"error":"Task Act.now asked to be retried later","status":"retry"}"#
    );
}

#[tokio::test]
async fn a_task_that_asks_to_be_retried_at_the_end_of_time_is_retried_within_an_hour() {
    let request = post("/tasks/Act.now", r#"{"how": "wait for ever"}"#);

    let response = send(&runtime().await, request).await;

    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "3600");
}

const NOTHING_HERE: &str =
    "There is nothing here; tasks are at /tasks/{name}, subscribers at /subscriptions/{name}";

#[tokio::test]
async fn an_unknown_name_answers_404_and_says_it_as_it_came() {
    let runtime = runtime().await;
    for (path, error) in [
        ("/tasks/Nobody", "Task Nobody not found"),
        ("/tasks/a%2Fb", "Task a/b not found"),
        ("/tasks/%FF", "Task %FF not found"),
        ("/tasks/add", "Task add not found"),
        ("/tasks/Add/", NOTHING_HERE),
        ("/tasks/", NOTHING_HERE),
        ("/elsewhere", NOTHING_HERE),
    ] {
        assert_eq!(
            answer(&runtime, post(path, "{}")).await,
            (404, json!({ "error": error })),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_name_is_percent_decoded_once() {
    let body = r#"{"left": 1, "right": 1}"#;

    assert_eq!(answer(&runtime().await, post("/tasks/%41dd", body)).await.0, 200);
    assert_eq!(
        answer(&runtime().await, post("/tasks/%2541dd", body)).await.0,
        404
    );
}

#[tokio::test]
async fn every_other_method_answers_405_and_allows_post() {
    let runtime = runtime().await;
    for method in [
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
    ] {
        let request = Request::builder()
            .method(method)
            .uri("/tasks/Add")
            .body(Body::empty())
            .unwrap();

        let response = send(&runtime, request).await;

        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "POST");
    }
}

#[tokio::test]
async fn a_body_that_does_not_decode_answers_400_with_field_and_position_and_no_value() {
    let runtime = runtime().await;
    for (body, error) in [
        (
            &b""[..],
            "the body is empty; expected the JSON of the task's arguments",
        ),
        (b"{\"number\": ", "EOF while parsing a value at line 1 column 11"),
        (
            b"{\"number\": 7",
            "EOF while parsing an object at line 1 column 12",
        ),
        (
            b"{\"number\": \"hunter2\"}",
            "number: invalid type: string, expected u8 at line 1 column 20",
        ),
        (
            b"{\"number\": 256}",
            "number: invalid value: integer, expected u8 at line 1 column 14",
        ),
        (
            b"{\"number\": 7, \"more\": 1}",
            "more: unknown field, expected `number` at line 1 column 20",
        ),
        (b"{}", "missing field `number` at line 1 column 2"),
        (
            b"[]",
            "invalid length, expected struct Strict with 1 element at line 1 column 2",
        ),
        (b"\xff\xfe", "expected value at line 1 column 1"),
        (
            b"{\"number\": 7} again",
            "trailing characters at line 1 column 15",
        ),
    ] {
        let (status, answered) = answer(&runtime, post("/tasks/Strict", body)).await;

        assert_eq!(status, 400);
        assert_eq!(
            answered,
            json!({"error": format!("Task Strict cannot read its arguments: {error}")})
        );
    }
}

#[tokio::test]
async fn an_extra_field_is_ignored_unless_the_task_says_otherwise() {
    let body = r#"{"left": 1, "right": 1, "added_by_a_newer_version": true}"#;

    assert_eq!(answer(&runtime().await, post("/tasks/Add", body)).await.0, 200);
}

#[tokio::test]
async fn a_body_that_is_too_large_answers_413_however_it_comes() {
    let runtime = Runtime::eager().max_body_bytes(100).build().await.unwrap();
    let chunks = || stream::iter((0..20).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"0123456789"))));
    let padded = |spaces: usize| format!("{}{}", r#"{"left": 1, "right": 1}"#, " ".repeat(spaces));

    let whole = answer(&runtime, post("/tasks/Add", padded(78))).await;
    let streamed = answer(&runtime, post("/tasks/Add", Body::from_stream(chunks()))).await;
    let fits = answer(&runtime, post("/tasks/Add", padded(77))).await;

    let too_large = (413, json!({"error": "The body is larger than 100 bytes"}));
    assert_eq!((whole, streamed), (too_large.clone(), too_large));
    assert_eq!(fits.0, 200);
}

#[tokio::test]
async fn a_body_in_pieces_is_put_together() {
    let pieces =
        ["{\"le", "ft\": 4", "0, \"right\": ", "2}"].map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));

    let (status, body) = answer(
        &runtime().await,
        post("/tasks/Add", Body::from_stream(stream::iter(pieces))),
    )
    .await;

    assert_eq!((status, &body["result"]), (200, &json!("42 in attempt 1")));
}

#[tokio::test]
async fn a_body_that_breaks_off_answers_400_and_nothing_runs() {
    let pieces = [
        Ok(Bytes::from("{\"left\": 1,")),
        Err(std::io::Error::other("the line is dead")),
    ];

    let (status, body) = answer(
        &runtime().await,
        post("/tasks/Add", Body::from_stream(stream::iter(pieces))),
    )
    .await;

    assert_eq!((status, body), (400, json!({"error": "The body broke off"})));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_passes_its_deadline_is_cancelled_and_answers_504() {
    let cancelled = Cancelled::default();
    let runtime = Runtime::eager().state(cancelled.clone()).build().await.unwrap();

    let (status, body) = answer(&runtime, post("/tasks/Hang", "")).await;

    assert_eq!(status, 504);
    assert_eq!(
        body,
        json!({"error": "Task Hang did not finish within 20s", "status": "failed"})
    );
    assert!(cancelled.0.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_that_a_call_asked_for_wins_over_the_tasks_own() {
    let mut request = post("/tasks/Hang", "");
    request
        .headers_mut()
        .insert("x-cloud-tasks-timeout", "90.5".parse().unwrap());

    let (_, body) = answer(&runtime().await, request).await;

    assert_eq!(body["error"], "Task Hang did not finish within 90.5s");
}

#[tokio::test]
async fn metadata_are_read_from_every_header_of_cloud_tasks_and_cloud_scheduler() {
    let told = tell(&[
        ("x-cloudtasks-queuename", "emails"),
        ("x-cloudtasks-taskname", "t1"),
        ("x-cloudtasks-taskretrycount", "4"),
        ("x-cloudtasks-taskexecutioncount", "2"),
        ("x-cloudtasks-tasketa", "1700000000.25"),
        ("x-cloudtasks-taskpreviousresponse", "504"),
        ("x-cloudtasks-taskretryreason", "deadline"),
        ("x-cloudscheduler", "true"),
        ("x-cloudscheduler-jobname", "digest"),
        ("x-cloudscheduler-scheduletime", "2023-11-14T22:13:20Z"),
    ])
    .await;

    assert_eq!(
        told,
        "Some(\"emails\") Some(\"t1\") attempt 5 (Some(4), Some(2)) Some(1700000000.25s) Some(504) Some(\"deadline\") \
         scheduled true Some(\"digest\") Some(1700000000s)"
    );
}

#[tokio::test]
async fn missing_headers_and_headers_that_are_not_numbers_are_ignored() {
    let nothing = "None None attempt 1 (None, None) None None None scheduled false None None";

    assert_eq!(tell(&[]).await, nothing);
    for value in ["", " ", "\t", "a\tb"] {
        let names = [
            "x-cloudtasks-queuename",
            "x-cloudtasks-taskname",
            "x-cloudtasks-taskretrycount",
            "x-cloudtasks-taskexecutioncount",
            "x-cloudtasks-tasketa",
            "x-cloudtasks-taskpreviousresponse",
            "x-cloudtasks-taskretryreason",
            "x-cloudscheduler",
            "x-cloudscheduler-jobname",
            "x-cloudscheduler-scheduletime",
            "x-cloud-tasks-timeout",
        ];
        assert_eq!(tell(&names.map(|name| (name, value))).await, nothing, "{value:?}");
    }
    assert_eq!(
        tell(&[
            ("x-cloudtasks-taskretrycount", "many"),
            ("x-cloudtasks-taskexecutioncount", "-1"),
            ("x-cloudtasks-tasketa", "-1e300"),
            ("x-cloudtasks-taskpreviousresponse", "99999999"),
            ("x-cloudscheduler", "no"),
            ("x-cloudscheduler-scheduletime", "yesterday"),
            ("x-cloud-tasks-timeout", "NaN"),
        ])
        .await,
        nothing
    );
}

#[tokio::test]
async fn a_retry_count_at_its_limit_does_not_overflow() {
    let told = tell(&[("x-cloudtasks-taskretrycount", "4294967295")]).await;

    assert!(told.contains("attempt 4294967295 "), "{told}");
}

#[tokio::test]
async fn the_authorization_header_does_not_reach_the_task() {
    let headers = HeaderMap::from_iter([
        (http::header::AUTHORIZATION, "Bearer hunter2".parse().unwrap()),
        (http::header::ACCEPT, "*/*".parse().unwrap()),
    ]);

    let metadata = TaskMetadata::from_headers(headers);

    assert_eq!(metadata.headers().keys().collect::<Vec<_>>(), ["accept"]);
}

#[tokio::test]
async fn under_an_endpoint_with_a_path_tasks_are_found_with_it_and_without_it() {
    let config = Config::default().with_endpoint("https://shop.example/jobs");
    let runtime = Runtime::eager().config(config).build().await.unwrap();
    let body = r#"{"left": 1, "right": 1}"#;

    assert_eq!(answer(&runtime, post("/jobs/tasks/Add", body)).await.0, 200);
    assert_eq!(
        answer(&runtime, post("/tasks/Add", body)).await.0,
        200,
        "nested at /jobs"
    );
    assert_eq!(answer(&runtime, post("/other/tasks/Add", body)).await.0, 404);
}
