//! What Python's `json.dumps` writes and JSON does not have, and what Django's periodic tasks send. Recorded from Python 3.11
//! and from the job that django-google-cloud-tasks makes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::Runtime;
use serde_json::{Value, json};

use crate::tasks::{Log, answer, post};

async fn runtime(log: &Log) -> Runtime {
    Runtime::eager().state(log.clone()).build().await.unwrap()
}

#[tokio::test]
async fn what_python_writes_and_json_does_not_have_is_refused_where_it_stands() {
    let log = Log::default();
    let runtime = runtime(&log).await;
    for (task, body, reason) in [
        // float("nan"), float("inf")
        (
            "Add",
            r#"{"left": NaN, "right": 1}"#,
            "expected value at line 1 column 10",
        ),
        (
            "Add",
            r#"{"left": 1, "right": Infinity}"#,
            "expected value at line 1 column 22",
        ),
        (
            "Add",
            r#"{"left": -Infinity, "right": 1}"#,
            "invalid number at line 1 column 11",
        ),
        // "\ud800", half of a character
        (
            "Note",
            r#"{"text": "\ud800"}"#,
            "unexpected end of hex escape at line 1 column 17",
        ),
        (
            "Note",
            r#"{"text": "\udc00"}"#,
            "lone leading surrogate in hex escape at line 1 column 16",
        ),
        (
            "Note",
            r#"{"\ud800": 1, "text": "x"}"#,
            "unexpected end of hex escape at line 1 column 9",
        ),
        // 10**20 and 1e22, which are no u64
        (
            "Add",
            r#"{"left": 100000000000000000000, "right": 1}"#,
            "left: invalid type: floating, expected u64 at line 1 column 30",
        ),
        (
            "Add",
            r#"{"left": 1e+22, "right": 1}"#,
            "left: invalid type: floating, expected u64 at line 1 column 14",
        ),
        (
            "Add",
            r#"{"left": 1e+400, "right": 1}"#,
            "number out of range at line 1 column 15",
        ),
        // Two members of one name, which Python cannot write and others can.
        (
            "Add",
            r#"{"left": 1, "left": 2, "right": 1}"#,
            "duplicate field `left` at line 1 column 18",
        ),
    ] {
        let (status, answered) = answer(&runtime, post(&format!("/tasks/{task}"), body)).await;

        let expected = format!("Task {task} cannot read its arguments: {reason}");
        assert_eq!((status, &answered["error"]), (400, &json!(expected)), "{body}");
    }
    assert!(log.lines().is_empty());
}

#[tokio::test]
async fn a_message_that_python_wrote_and_json_does_not_have_is_not_acknowledged() {
    let log = Log::default();
    let runtime = runtime(&log).await;
    for data in [
        r#"{"user_id": NaN, "action": "x"}"#,
        r#"{"user_id": 7, "action": "\ud800"}"#,
        r#"{"user_id": 7, "action": "x", "_http_headers": {"traceparent": "\ud800"}}"#,
        r#"{"user_id": 7, "action": "x", "_http_headers": NaN}"#,
    ] {
        let body = json!({"message": {"data": STANDARD.encode(data), "messageId": "1"}}).to_string();

        let (status, answered) = answer(&runtime, post("/subscriptions/Auditor", body)).await;

        // Headers that cannot be read do not keep the content from being read.
        let is_only_of_headers = data.contains("traceparent");
        let expected = if is_only_of_headers { 200 } else { 400 };
        assert_eq!(status, expected, "{data}: {answered}");
    }
    assert_eq!(log.lines().len(), 1);
}

#[tokio::test]
async fn a_periodic_task_of_django_runs_as_a_schedule() {
    let runtime = runtime(&Log::default()).await;
    // `schedule()` puts a job with the arguments as JSON and with no headers of its own: Cloud Scheduler then sends the type of
    // unknown bytes.
    let headers = [
        ("content-type", "application/octet-stream"),
        ("user-agent", "Google-Cloud-Scheduler"),
        ("x-cloudscheduler", "true"),
        ("x-cloudscheduler-jobname", "shop--Tell"),
        ("x-cloudscheduler-scheduletime", "2026-11-27T09:00:00Z"),
    ];
    for body in ["{}", r#"{"unknown": 1}"#] {
        let mut request = post("/tasks/Tell", body);
        for (name, value) in headers {
            request.headers_mut().insert(name, value.parse().unwrap());
        }

        let (status, answered) = answer(&runtime, request).await;

        let told = answered["result"].as_str().unwrap_or_default();
        assert_eq!(status, 200, "{body:?}: {answered}");
        assert!(
            told.ends_with(r#"scheduled true Some("shop--Tell") Some(1795770000s)"#),
            "{told}"
        );
    }
    let arguments = json!({"left": 1, "right": 2}).to_string();
    let (status, answered): (u16, Value) = answer(&runtime, post("/tasks/Add", arguments)).await;
    assert_eq!((status, &answered["result"]), (200, &json!("3 in attempt 1")));
}
