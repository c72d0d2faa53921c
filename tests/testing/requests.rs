//! The requests to the byte.

use bytes::Bytes;
use cloud_tasks::testing::Recorder;
use cloud_tasks::testing::Signer;
use cloud_tasks::{Config, Context, Message, Runtime, SubscriberTask, Task, TaskResult, task};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::tasks::{Log, OrderPlaced, Ship, new_year, note, seconds};

/// Is due at nine.
#[derive(Default, Deserialize, Serialize)]
struct Morning {
    limit: u32,
}

#[task(every = "0 9 * * *", payload = Morning { limit: 10 }, headers = [("X-Source", "schedule")])]
impl Task for Morning {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Takes messages without a token.
struct Unsigned;

#[task(topic = "orders", oidc = false)]
impl SubscriberTask for Unsigned {
    async fn run(_message: Message<OrderPlaced>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

async fn shop() -> (Signer, Runtime, Recorder) {
    let config = Config::default()
        .with_app_name("shop")
        .with_project("my-project")
        .with_endpoint("https://shop.example/jobs/")
        .with_service_account("tasks@my-project.iam.gserviceaccount.com");
    let (runtime, recorder) = Runtime::recorded()
        .config(config)
        .starting_at(new_year())
        .state(Log::default())
        .build()
        .await
        .unwrap();
    (Signer::new().unwrap(), runtime, recorder)
}

/// All headers but the token, sorted.
fn lines(headers: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<_> = headers
        .iter()
        .filter(|(name, _)| *name != "authorization")
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort_unstable();
    lines
}

async fn body(request: Request<Full<Bytes>>) -> Bytes {
    request.into_body().collect().await.unwrap().to_bytes()
}

/// What the token of a request says.
fn claims(request: &Request<Full<Bytes>>) -> Value {
    use base64::Engine;
    let value = request.headers()["authorization"].to_str().unwrap();
    let claims = value.strip_prefix("Bearer ").unwrap().split('.').nth(1).unwrap();
    let json = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(claims)
        .unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[tokio::test]
async fn a_callback_is_what_cloud_tasks_sends() {
    let (signer, runtime, _recorder) = shop().await;

    let request = signer
        .callback(&runtime, &note("hi"))
        .id("note-1")
        .request()
        .unwrap();

    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), "https://shop.example/jobs/tasks/Note");
    assert_eq!(
        lines(request.headers()),
        [
            "content-type: application/json",
            "user-agent: Google-Cloud-Tasks",
            "x-cloudtasks-queuename: notes",
            "x-cloudtasks-tasketa: 1767225600.000000",
            "x-cloudtasks-taskexecutioncount: 0",
            "x-cloudtasks-taskname: note-1",
            "x-cloudtasks-taskretrycount: 0",
        ]
    );
    assert_eq!(body(request).await, r#"{"text":"hi"}"#);
}

#[tokio::test]
async fn a_later_attempt_carries_the_response_of_the_previous_one() {
    let (signer, runtime, _recorder) = shop().await;

    let request = signer
        .callback(&runtime, &note("hi"))
        .attempt(3)
        .queue("slow")
        .id("note-1")
        .eta(new_year() + seconds(5))
        .previous_response(503)
        .header("x-request-id", "abc")
        .request()
        .unwrap();

    assert_eq!(
        lines(request.headers()),
        [
            "content-type: application/json",
            "user-agent: Google-Cloud-Tasks",
            "x-cloudtasks-queuename: slow",
            "x-cloudtasks-tasketa: 1767225605.000000",
            "x-cloudtasks-taskexecutioncount: 0",
            "x-cloudtasks-taskname: note-1",
            "x-cloudtasks-taskpreviousresponse: 503",
            "x-cloudtasks-taskretrycount: 2",
            "x-cloudtasks-taskretryreason: ",
            "x-request-id: abc",
        ]
    );
}

#[tokio::test]
async fn a_recorded_task_comes_back_as_it_was_enqueued() {
    let (signer, runtime, recorder) = shop().await;
    note("hi")
        .later(seconds(60))
        .queue("slow")
        .task_id("note-1")
        .timeout(seconds(90))
        .header("x-request-id", "abc")
        .on(&runtime)
        .await
        .unwrap();

    let request = signer
        .callback_of(&runtime, &recorder.envelopes()[0])
        .request()
        .unwrap();

    assert_eq!(request.uri(), "https://shop.example/jobs/tasks/Note");
    assert_eq!(
        lines(request.headers()),
        [
            "content-type: application/json",
            "user-agent: Google-Cloud-Tasks",
            "x-cloud-tasks-timeout: 90",
            "x-cloudtasks-queuename: slow",
            "x-cloudtasks-tasketa: 1767225660.000000",
            "x-cloudtasks-taskexecutioncount: 0",
            "x-cloudtasks-taskname: note-1",
            "x-cloudtasks-taskretrycount: 0",
            "x-request-id: abc",
        ]
    );
    assert_eq!(body(request).await, r#"{"text":"hi"}"#);
}

#[tokio::test]
async fn a_token_is_of_the_settings_account_for_the_endpoint_and_lasts_an_hour() {
    let (signer, runtime, _recorder) = shop().await;
    let callback = signer.callback(&runtime, &note("hi"));

    let good = claims(&callback.clone().request().unwrap());
    let other = callback
        .clone()
        .audience("https://other")
        .account("me@other")
        .expired();
    let other = claims(&other.request().unwrap());
    let unsigned = callback.unsigned().request().unwrap();

    assert_eq!(good["aud"], "https://shop.example/jobs");
    assert_eq!(good["email"], "tasks@my-project.iam.gserviceaccount.com");
    assert_eq!(good["iss"], "https://accounts.google.com");
    assert_eq!(good["email_verified"], true);
    assert_eq!(
        good["exp"].as_u64().unwrap() - good["iat"].as_u64().unwrap(),
        3600
    );
    assert_eq!(
        (&other["aud"], &other["email"]),
        (&json!("https://other"), &json!("me@other"))
    );
    assert!(good["iat"].as_u64().unwrap() - other["exp"].as_u64().unwrap() >= 3600);
    assert!(!unsigned.headers().contains_key("authorization"));
}

#[tokio::test]
async fn a_push_is_what_pubsub_sends_in_both_spellings() {
    let (signer, runtime, _recorder) = shop().await;
    let mut message = Message::new(OrderPlaced { order_id: 7 })
        .with_attribute("priority", "high")
        .with_id("2070443601311540");
    message.ordering_key = Some("seven".into());

    let request = signer
        .push::<Ship>(&runtime, &message)
        .unwrap()
        .request()
        .unwrap();

    assert_eq!(request.uri(), "https://shop.example/jobs/subscriptions/Ship");
    assert_eq!(
        lines(request.headers()),
        [
            "content-type: application/json",
            "user-agent: APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
        ]
    );
    assert_eq!(claims(&request)["aud"], "https://shop.example/jobs");
    let body: Value = serde_json::from_slice(&body(request).await).unwrap();
    assert_eq!(
        body,
        json!({
            "message": {
                "attributes": {"priority": "high"},
                "data": "eyJvcmRlcl9pZCI6N30=",
                "messageId": "2070443601311540",
                "message_id": "2070443601311540",
                "orderingKey": "seven",
                "publishTime": "2026-01-01T00:00:00.000Z",
                "publish_time": "2026-01-01T00:00:00.000Z",
            },
            "subscription": "projects/my-project/subscriptions/shop--Ship",
            "deliveryAttempt": 1,
        })
    );
}

#[tokio::test]
async fn an_unwrapped_push_has_its_content_as_the_body_and_its_metadata_in_headers() {
    let (signer, runtime, _recorder) = shop().await;
    let message = Message::new(()).with_attribute("priority", "high").with_id("7");
    let push = || signer.push::<Ship>(&runtime, &message).unwrap().unwrapped();

    let request = push().data(&b"\x00raw"[..]).request().unwrap();
    let odd = message.clone().with_attribute("two words", "x");
    let odd = signer.push::<Ship>(&runtime, &odd).unwrap().unwrapped().request();

    assert_eq!(
        lines(request.headers()),
        [
            "priority: high",
            "user-agent: APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
            "x-goog-pubsub-delivery-attempt: 1",
            "x-goog-pubsub-message-id: 7",
            "x-goog-pubsub-publish-time: 2026-01-01T00:00:00.000Z",
            "x-goog-pubsub-subscription-name: projects/my-project/subscriptions/shop--Ship",
        ]
    );
    assert_eq!(body(request).await, &b"\x00raw"[..]);
    assert_eq!(
        odd.unwrap_err().to_string(),
        "no header can carry \"two words\": \"x\", as a push without a wrapper would"
    );
}

#[tokio::test]
async fn a_push_of_a_subscription_without_tokens_carries_none() {
    let (signer, runtime, _recorder) = shop().await;
    let message = Message::new(OrderPlaced { order_id: 7 });

    let request = signer
        .push::<Unsigned>(&runtime, &message)
        .unwrap()
        .request()
        .unwrap();

    assert!(!request.headers().contains_key("authorization"));
    let body: Value = serde_json::from_slice(&body(request).await).unwrap();
    assert_eq!(
        body["deliveryAttempt"],
        Value::Null,
        "it has no dead-letter topic"
    );
    assert_eq!(body["message"]["messageId"].as_str().unwrap().len(), 16);
}

#[tokio::test]
async fn a_run_of_a_schedule_is_what_cloud_scheduler_sends() {
    let (signer, runtime, _recorder) = shop().await;

    let run = signer
        .scheduled::<Morning>(&runtime)
        .unwrap()
        .due(new_year() + seconds(9 * 3600));
    let request = run.request().unwrap();

    assert_eq!(request.uri(), "https://shop.example/jobs/tasks/Morning");
    assert_eq!(
        lines(request.headers()),
        [
            "content-type: application/json",
            "user-agent: Google-Cloud-Scheduler",
            "x-cloudscheduler-jobname: shop--Morning",
            "x-cloudscheduler-scheduletime: 2026-01-01T09:00:00Z",
            "x-cloudscheduler: true",
            "x-source: schedule",
        ]
    );
    assert_eq!(claims(&request)["aud"], "https://shop.example/jobs");
    assert_eq!(body(request).await, r#"{"limit":10}"#);
}

#[tokio::test]
async fn an_invalid_header_is_an_error_and_no_request_is_made() {
    let (signer, runtime, _recorder) = shop().await;

    let request = signer
        .callback(&runtime, &note("hi"))
        .header("x-ok", "two\nlines")
        .request();

    assert_eq!(
        request.unwrap_err().to_string(),
        "the header \"x-ok\": \"two\\nlines\" is not accepted: a name of letters, digits and `-`, and a value of one line"
    );
}
