//! What a request says, in the answer and in the log.

use std::collections::HashMap;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::event::Attributes;
use cloud_tasks::idempotency::MemoryStore;
use cloud_tasks::{BoxError, Context, Discard, Message, Runtime, SubscriberTask, Task, TaskResult, task};
use http::{HeaderValue, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Shown, logged, texts};
use crate::service::{key_server, state, verified};
use crate::support::http::{post, send};
use crate::support::logs::Logs;
use crate::support::tokens;

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    High,
    Low,
}

#[derive(Deserialize)]
struct Typed {
    level: Option<Level>,
    count: Option<u8>,
}

/// Has attributes with types.
struct WithAttributes;

#[task(topic = "texts")]
impl SubscriberTask for WithAttributes {
    async fn run(message: Message<Value, Typed>, _cx: Context) -> TaskResult<bool> {
        let is_high = matches!(message.attributes.level, Some(Level::High) | None);
        Ok(is_high
            && !matches!(message.attributes.level, Some(Level::Low))
            && message.attributes.count.is_none())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoAttributes {}

/// Accepts no attribute.
struct WithoutAttributes;

#[task(topic = "texts")]
impl SubscriberTask for WithoutAttributes {
    async fn run(_message: Message<Value, NoAttributes>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Its parser quotes what it cannot read.
struct Quoting;

#[task(topic = "texts")]
impl SubscriberTask for Quoting {
    fn parse(data: &[u8]) -> Result<String, BoxError> {
        let text = String::from_utf8_lossy(data);
        Err(format!("cannot read {text}, nor {text:?}"))?
    }

    async fn run(_message: Message<String>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Takes any message.
struct AnyMessage;

#[task(topic = "texts")]
impl SubscriberTask for AnyMessage {
    async fn run(_message: Message<Value, Attributes>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Makes a task of each message.
struct Forwards;

#[task(topic = "texts", use_cloud_tasks)]
impl SubscriberTask for Forwards {
    async fn run(_message: Message<u64>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Deserialize, Serialize)]
struct Counts {
    by_name: HashMap<String, u8>,
    level: Option<Kind>,
    how: Option<How>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kind {
    id: u8,
}

#[task]
impl Task for Counts {
    async fn run(self, cx: Context) -> TaskResult<usize> {
        let name = cx.metadata().id().unwrap_or_default().to_owned();
        // Under a key that a caller chose.
        cx.once(format!("count/{name}"), async { TaskResult::Ok(()) })
            .await?;
        Ok(self.by_name.len()
            + usize::from(self.level.is_some_and(|level| level.id > 0) || self.how.is_some()))
    }
}

#[derive(Clone, Copy, Deserialize, Serialize)]
enum How {
    Fail,
    Discard,
    Panic,
    SourceFails,
}

/// Ends as it is told, and says what it is told.
#[derive(Deserialize, Serialize)]
struct End {
    how: How,
    text: String,
}

#[task(max_attempts = 1)]
impl Task for End {
    async fn run(self, _cx: Context) -> TaskResult {
        match self.how {
            How::Fail => Err(self.text)?,
            How::Discard => Err(Discard::new(self.text))?,
            How::Panic => panic!("{}", self.text),
            How::SourceFails => Err(
                cloud_tasks::Error::new(cloud_tasks::ErrorKind::TaskFailed, "outside").with_source(self.text),
            )?,
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "given as `json!`")]
fn pushed(subscriber: &str, data: &str, attributes: Value) -> Request<Body> {
    let message = json!({"data": STANDARD.encode(data), "attributes": attributes, "messageId": "1"});
    post(
        &format!("/subscriptions/{subscriber}"),
        json!({ "message": message }).to_string(),
    )
}

fn run(task: &str, body: &Value) -> Request<Body> {
    post(&format!("/tasks/{task}"), body.to_string())
}

/// Requests whose answers and whose logs hold no value of theirs.
fn with_values(text: &str) -> Vec<(&'static str, Request<Body>)> {
    let event = |members: Value| {
        let mut event = json!({"specversion": "1.0", "id": "7", "source": "s", "type": "t"});
        event
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        let mut request = post("/subscriptions/WithAttributes", event.to_string());
        let json = HeaderValue::from_static("application/cloudevents+json");
        request.headers_mut().insert("content-type", json);
        request
    };
    vec![
        (
            "an attribute for a variant",
            pushed("WithAttributes", "1", json!({"level": text})),
        ),
        (
            "an attribute for a number",
            pushed("WithAttributes", "1", json!({"count": text})),
        ),
        ("content for a parser", pushed("Quoting", text, json!({}))),
        (
            "content that is not forwarded",
            pushed("Forwards", text, json!({})),
        ),
        (
            "content that is not JSON",
            pushed("WithAttributes", text, json!({})),
        ),
        (
            "a string for a number",
            run("Counts", &json!({"by_name": {"a": text}})),
        ),
        (
            "a string for a struct",
            run("Counts", &json!({"by_name": {}, "level": text})),
        ),
        (
            "a string for a variant",
            run("Counts", &json!({"by_name": {}, "how": text})),
        ),
        ("a string for all arguments", run("Counts", &json!(text))),
        ("a body that is not JSON", post("/tasks/Counts", text.to_owned())),
        (
            "data that is not base64",
            post(
                "/subscriptions/WithAttributes",
                json!({"message": {"data": format!("%{text}"), "messageId": "1"}}).to_string(),
            ),
        ),
        (
            "a time for a delivery attempt",
            post(
                "/subscriptions/WithAttributes",
                json!({"message": {"data": "", "messageId": "1"}, "deliveryAttempt": text}).to_string(),
            ),
        ),
        (
            "an event's data",
            event(json!({"data_base64": format!("%{text}")})),
        ),
    ]
}

/// Requests whose names may be quoted, in part and escaped.
fn with_names(text: &str) -> Vec<(&'static str, Request<Body>)> {
    let in_path = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    // The rest of a target is longer than a URI can be.
    let in_path = &in_path[..in_path.len().min(30_000)];
    let with_header = |name: &'static str, body: &Value| {
        let mut request = run("Counts", body);
        if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
            request
                .headers_mut()
                .insert("x-cloudtasks-queuename", value.clone());
            request.headers_mut().insert(name, value);
        }
        request
    };
    let counts = json!({"by_name": {}});
    let message = |subscriber: &str, id: &str| {
        let message = json!({"data": STANDARD.encode("1"), "messageId": id, "orderingKey": text, "attributes": {text: text}});
        let body = json!({"message": message, "subscription": text});
        post(&format!("/subscriptions/{subscriber}"), body.to_string())
    };
    let event = json!({"specversion": "1.0", "id": text, "source": text, "type": text, "data": 1});
    let mut event = post("/subscriptions/AnyMessage", event.to_string());
    let json = HeaderValue::from_static("application/cloudevents+json");
    event.headers_mut().insert("content-type", json);
    let content = json!({"_http_headers": {"traceparent": text, text: text}}).to_string();
    vec![
        ("the name of a task", post(&format!("/tasks/{in_path}"), "null")),
        (
            "the name of a subscriber",
            post(&format!("/subscriptions/{in_path}"), "null"),
        ),
        (
            "the key of a map",
            run("Counts", &json!({"by_name": {text: "a"}})),
        ),
        (
            "the key of an attribute",
            pushed("WithoutAttributes", "1", json!({text: "1"})),
        ),
        (
            "an unknown field",
            run("Counts", &json!({"by_name": {}, "level": {text: 1}})),
        ),
        ("the id of a task", with_header("x-cloudtasks-taskname", &counts)),
        (
            "the id of a task, again",
            with_header("x-cloudtasks-taskname", &counts),
        ),
        (
            "the name of a job",
            with_header("x-cloudscheduler-jobname", &counts),
        ),
        ("the id of a message", message("AnyMessage", text)),
        ("the id of a forwarded message", message("Forwards", text)),
        ("the id of a forwarded message, again", message("Forwards", text)),
        ("the id of a message, again", message("AnyMessage", text)),
        ("the members of an event", event),
        (
            "propagated headers",
            pushed("AnyMessage", &content, json!({"googclient_traceparent": text})),
        ),
    ]
}

/// Requests to a task that fails with this text, which is the log's alone.
fn with_errors(text: &str) -> Vec<(&'static str, Request<Body>)> {
    let end = |how: How| run("End", &json!({"how": how, "text": text}));
    vec![
        ("the error of a task", end(How::Fail)),
        ("the cause of a task's error", end(How::SourceFails)),
        ("the reason of a discard", end(How::Discard)),
        ("the message of a panic", end(How::Panic)),
    ]
}

async fn runtime() -> Runtime {
    Runtime::eager()
        .state(state())
        .idempotency(MemoryStore::new())
        .build()
        .await
        .unwrap()
}

async fn answer(runtime: &Runtime, place: &'static str, request: Request<Body>) -> (u16, Shown) {
    let response = send(runtime, request).await;
    let status = response.status().as_u16();
    let body = String::from_utf8(response.body().to_vec()).unwrap();
    // Decoded, as a log of the caller would have it; the wire itself escapes control characters anyway.
    let answered: Value = serde_json::from_str(&body).unwrap();
    let text = answered["error"].as_str().unwrap_or_default().to_owned();
    assert!(!body.chars().any(super::steers), "{place}: {body:?}");
    assert!(body.len() < 1024, "{place} answers with {} bytes", body.len());
    (status, Shown::line(place, text))
}

#[tokio::test]
async fn no_value_of_a_request_is_in_its_answer_or_in_a_log() {
    let runtime = runtime().await;
    for text in texts() {
        for (place, request) in with_values(&text) {
            let logs = Logs::capture();

            let (status, shown) = answer(&runtime, place, request).await;

            let logged = logged(&logs);
            assert_eq!(status, 400, "{place}: {}", shown.text);
            assert!(
                logged.iter().any(|line| line.text.starts_with("ERROR")),
                "{place}"
            );
            for shown in logged.iter().chain([&shown]) {
                shown.assert_safe(&text);
                // One text ends as serde's list of expected names does.
                shown.assert_no_secret(&text);
            }
        }
    }
}

#[tokio::test]
async fn a_name_of_a_request_is_quoted_in_part_and_escaped() {
    for text in texts() {
        let runtime = runtime().await;
        for (place, request) in with_names(&text) {
            let logs = Logs::capture();

            let (_, shown) = answer(&runtime, place, request).await;

            for shown in logged(&logs).iter().chain([&shown]) {
                shown.assert_safe(&text);
                assert!(
                    shown.text.len() < 2048,
                    "{place} shows {} bytes",
                    shown.text.len()
                );
            }
        }
    }
}

#[tokio::test]
async fn an_error_of_a_task_is_escaped_in_the_log_and_not_in_the_answer() {
    let runtime = runtime().await;
    for text in texts() {
        for (place, request) in with_errors(&text) {
            let logs = Logs::capture();

            let (_, shown) = answer(&runtime, place, request).await;

            let logged = logged(&logs);
            shown.assert_no_secret(&text);
            assert!(
                logged.iter().any(|line| line.text.contains(super::SECRET)),
                "{place}"
            );
            for shown in logged.iter().chain([&shown]) {
                shown.assert_safe(&text);
            }
        }
    }
}

#[tokio::test]
async fn what_a_refused_token_says_is_escaped_in_the_log_and_not_in_the_answer() {
    let server = key_server().await;
    for text in texts() {
        for member in ["aud", "email", "iss", "sub", "kid", "alg", "typ"] {
            let (mut header, mut claims) = (tokens::header(), tokens::claims(crate::service::ENDPOINT));
            if ["kid", "alg", "typ"].contains(&member) {
                header[member] = json!(text);
            } else {
                claims[member] = json!(text);
            }
            let token = tokens::sign(&header, &claims);
            // A runtime of its own: the log leaves out what comes often.
            let runtime = verified(&server).build().await.unwrap();
            let mut request = post("/tasks/Note", "null");
            let bearer = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", bearer);
            let logs = Logs::capture();

            let (_, shown) = answer(&runtime, member, request).await;

            shown.assert_no_secret(&text);
            for shown in logged(&logs).iter().chain([&shown]) {
                shown.assert_safe(&text);
                assert!(
                    shown.text.len() < 4096,
                    "{member} shows {} bytes",
                    shown.text.len()
                );
                assert!(!shown.text.contains("eyJ"), "{member} shows the token");
            }
        }
    }
}
