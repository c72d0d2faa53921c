//! Every header that the library reads, through the service: a header that is silently not read changes what a task sees.

use std::time::SystemTime;

use axum::body::Body;
use cloud_tasks::{Context, Message, Runtime, SubscriberTask, Task, TaskResult, task};
use http::{HeaderName, HeaderValue, Request};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::tasks::{Add, answer, post};

/// Tells everything that its request said, and what the scope carries on.
#[derive(Deserialize, Serialize)]
struct TellAll {}

#[task]
impl Task for TellAll {
    async fn run(self, cx: Context) -> TaskResult<Value> {
        let metadata = cx.metadata();
        let (runtime, recorder) = Runtime::recorded().build().await?;
        Add { left: 1, right: 2 }.asap().on(&runtime).await?;
        let carried = recorder.envelopes()[0].headers().get("traceparent").cloned();
        let names: Vec<_> = metadata.headers().keys().map(HeaderName::as_str).collect();
        Ok(json!({
            "queue": metadata.queue(),
            "id": metadata.id(),
            "attempt": metadata.attempt(),
            "executions": metadata.execution_count(),
            "eta": metadata.eta().map(seconds),
            "previous response": metadata.previous_response(),
            "retry reason": metadata.retry_reason(),
            "scheduled": metadata.is_scheduled(),
            "job": metadata.job_name(),
            "schedule time": metadata.schedule_time().map(seconds),
            "timeout": metadata.timeout().map(|timeout| timeout.as_secs_f64()),
            "carried": carried.map(|value| value.to_str().unwrap().to_owned()),
            "authorized": names.contains(&"authorization"),
            "hidden": metadata.headers().values().any(HeaderValue::is_sensitive),
        }))
    }
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Each header, and what it changes.
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn of_a_task() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    vec![
        ("x-cloudtasks-queuename", "emails", "queue", json!("emails")),
        ("x-cloudtasks-taskname", "7f", "id", json!("7f")),
        ("x-cloudtasks-taskretrycount", "4", "attempt", json!(5)),
        ("x-cloudtasks-taskexecutioncount", "3", "executions", json!(3)),
        (
            "x-cloudtasks-tasketa",
            "1767225600.5",
            "eta",
            json!(1_767_225_600.5),
        ),
        (
            "x-cloudtasks-taskpreviousresponse",
            "503",
            "previous response",
            json!(503),
        ),
        (
            "x-cloudtasks-taskretryreason",
            "NOT_FOUND",
            "retry reason",
            json!("NOT_FOUND"),
        ),
        ("x-cloudscheduler", "true", "scheduled", json!(true)),
        ("x-cloudscheduler-jobname", "digest", "job", json!("digest")),
        (
            "x-cloudscheduler-scheduletime",
            "2026-01-01T00:00:00Z",
            "schedule time",
            json!(1_767_225_600.0),
        ),
        ("x-cloud-tasks-timeout", "17.5", "timeout", json!(17.5)),
        ("traceparent", TRACE, "carried", json!(TRACE)),
        // Never visible to a task; another token's header is, but no `Debug` output shows it.
        ("authorization", "Bearer secret", "authorized", json!(false)),
        (
            "x-serverless-authorization",
            "Bearer secret",
            "hidden",
            json!(true),
        ),
    ]
}

/// Headers that the library does not read: each is as long as one of its own, and differs in the first or the last letter.
fn decoys(names: &[&str]) -> Vec<HeaderName> {
    let others = names.iter().flat_map(|name| {
        let last = format!("{}!", &name[..name.len() - 1]);
        let first = format!("!{}", &name[1..]);
        [first, last]
    });
    others.map(|name| name.parse().unwrap()).collect()
}

fn request(path: &str, body: &'static str, before: &[HeaderName], own: &[(&str, &str)]) -> Request<Body> {
    let mut request = post(path, body);
    for name in before {
        request
            .headers_mut()
            .append(name, HeaderValue::from_static("decoy"));
    }
    for (name, value) in own {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

async fn result_of(runtime: &Runtime, request: Request<Body>) -> Value {
    let (status, mut body) = answer(runtime, request).await;
    assert_eq!(status, 200, "{body}");
    body["result"].take()
}

#[tokio::test]
async fn each_header_of_a_task_changes_what_the_task_sees_and_nothing_else() {
    let runtime = runtime().await;
    let table = of_a_task();
    let names: Vec<_> = table.iter().map(|(name, ..)| *name).collect();
    let decoys = decoys(&names);
    let none = result_of(&runtime, request("/tasks/TellAll", "{}", &[], &[])).await;
    assert_eq!(none["attempt"], 1);

    for before in [&[][..], &decoys[..], &decoys[..1]] {
        for (name, value, field, expected) in &table {
            let mut wanted = none.clone();
            wanted[*field] = expected.clone();

            let told = result_of(
                &runtime,
                request("/tasks/TellAll", "{}", before, &[(*name, *value)]),
            )
            .await;

            assert_eq!(told, wanted, "{name} after {} others", before.len());
        }
        let all: Vec<_> = table.iter().map(|(name, value, ..)| (*name, *value)).collect();
        let told = result_of(&runtime, request("/tasks/TellAll", "{}", before, &all)).await;
        for (name, _, field, expected) in &table {
            assert_eq!(told[*field], *expected, "{name} among all");
        }
    }
}

/// Tells everything that its message said.
struct TellMessage;

#[task(topic = "told", bare_body)]
impl SubscriberTask for TellMessage {
    async fn run(message: Message<Value>, _cx: Context) -> TaskResult<Value> {
        Ok(json!({
            "id": message.id,
            "time": message.publish_time.map(seconds),
            "key": message.ordering_key,
            "attempt": message.delivery_attempt,
            "subscription": message.subscription,
            "user": message.attribute("user"),
            "source": message.attribute("ce-source"),
        }))
    }
}

#[tokio::test]
async fn each_header_of_a_push_changes_what_the_subscriber_sees_and_nothing_else() {
    let runtime = runtime().await;
    let table = [
        ("x-goog-pubsub-message-id", "7", "id", json!("7")),
        (
            "x-goog-pubsub-subscription-name",
            "projects/p/subscriptions/s",
            "subscription",
            json!("projects/p/subscriptions/s"),
        ),
        (
            "x-goog-pubsub-publish-time",
            "2026-01-01T00:00:00Z",
            "time",
            json!(1_767_225_600.0),
        ),
        ("x-goog-pubsub-ordering-key", "a", "key", json!("a")),
        ("x-goog-ordering-key", "b", "key", json!("b")),
        ("x-goog-pubsub-delivery-attempt", "3", "attempt", json!(3)),
        ("user", "ada", "user", json!("ada")),
    ];
    let path = "/subscriptions/TellMessage";
    let names: Vec<_> = table.iter().map(|(name, ..)| *name).collect();
    let decoys = decoys(&names);
    let none = result_of(&runtime, request(path, "1", &[], &[])).await;

    for before in [&[][..], &decoys[..]] {
        for (name, value, field, expected) in &table {
            let mut wanted = none.clone();
            wanted[*field] = expected.clone();

            let told = result_of(&runtime, request(path, "1", before, &[(*name, *value)])).await;

            assert_eq!(told, wanted, "{name} after {} others", before.len());
        }
        let event = [
            ("ce-specversion", "1.0"),
            ("ce-id", "8"),
            ("ce-source", "//a"),
            ("ce-type", "b"),
        ];
        let told = result_of(&runtime, request(path, "1", before, &event)).await;
        assert_eq!((&told["id"], &told["source"]), (&json!("8"), &json!("//a")));
        let structured = r#"{"specversion": "1.0", "id": "9", "source": "//c", "type": "d", "data": 1}"#;
        let typed = [("content-type", "application/cloudevents+json")];
        let told = result_of(&runtime, request(path, structured, before, &typed)).await;
        assert_eq!((&told["id"], &told["source"]), (&json!("9"), &json!("//c")));
    }
}

#[tokio::test]
async fn a_forwarded_message_arrives_with_the_header_that_describes_it() {
    let runtime = runtime().await;
    let body = r#"{"content": 1, "attributes": {"user": "ada"}}"#;
    let described = [(
        "x-cloud-tasks-message",
        "id=7&ordering_key=a&delivery_attempt=2&subscription=s",
    )];

    let told = result_of(&runtime, request("/tasks/TellMessage", body, &[], &described)).await;

    let expected = json!({
        "id": "7", "time": null, "key": "a", "attempt": 2, "subscription": "s", "user": "ada", "source": null,
    });
    assert_eq!(told, expected);
}

async fn runtime() -> Runtime {
    let (runtime, _recorder) = Runtime::recorded().build().await.unwrap();
    runtime
}
