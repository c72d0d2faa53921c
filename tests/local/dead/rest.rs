//! The calls of Pub/Sub's REST API, as they go over the wire.

use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::backend::{Google, RetrySettings};
use cloud_tasks::{Config, Runtime};
use google_cloud_auth::credentials::anonymous;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::dependencies::with_dependencies;

/// Pub/Sub with one batch of messages, and Cloud Tasks, which refuses a queue.
struct Cloud {
    batch: Mutex<Option<Value>>,
}

impl Respond for Cloud {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let path = request.url.path();
        let answer = match path.rsplit_once(':') {
            Some((_, "pull")) => self.batch.lock().unwrap().take().unwrap_or(json!({})),
            Some(_) => json!({}),
            None if path.contains("/queues/gone") => {
                let error = json!({"code": 404, "message": "no queue", "status": "NOT_FOUND"});
                return ResponseTemplate::new(404).set_body_json(json!({"error": error}));
            }
            None => body["task"].clone(),
        };
        ResponseTemplate::new(200).set_body_json(answer)
    }
}

fn message(id: &str, queue: &str) -> Value {
    let record = json!({
        "task": "Charge", "queue": queue, "id": "c1", "attempts": 3, "error": "", "body": {"invoice": 7},
        "headers": {"x-request-id": "r1", "authorization": "forged", "x-cloud-tasks-timeout": "20"},
        "died_at": "2026-01-01T00:00:00Z",
    });
    let data = STANDARD.encode(record.to_string());
    json!({"ackId": format!("ack-{id}"), "message": {"messageId": id, "data": data, "attributes": {}}})
}

async fn runtime(server: &MockServer) -> Runtime {
    let config = Config::default()
        .with_endpoint("https://shop.example")
        .with_project("acme")
        .with_location("europe-west1")
        .with_service_account("tasks@acme.iam.gserviceaccount.com")
        .with_enqueue_retry(RetrySettings::off());
    let google = Google::new()
        .credentials(anonymous::Builder::new().build())
        .api_endpoint(server.uri())
        .pubsub_endpoint(server.uri());
    with_dependencies(Runtime::builder())
        .config(config)
        .google(google)
        .build()
        .await
        .unwrap()
}

/// The calls as `verb or path`, and what each said.
async fn calls(server: &MockServer) -> Vec<(String, Value)> {
    let requests = server.received_requests().await.unwrap();
    requests
        .iter()
        .map(|request| {
            let path = request.url.path().rsplit('/').next().unwrap().to_owned();
            (path, serde_json::from_slice(&request.body).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_record_is_acknowledged_after_its_task_was_enqueued_and_what_was_refused_is_given_back() {
    let server = MockServer::start().await;
    let batch = json!({"receivedMessages": [message("m1", "billing"), message("m2", "gone")]});
    let cloud = Cloud {
        batch: Mutex::new(Some(batch)),
    };
    Mock::given(any()).respond_with(cloud).mount(&server).await;
    let runtime = runtime(&server).await;

    let replay = runtime.dead_tasks("dead-charges").replay();
    let report = replay.idle_timeout(std::time::Duration::ZERO).await.unwrap();

    assert_eq!((report.replayed, report.failed.len()), (1, 1));
    assert!(report.failed[0].reason.contains("no queue"), "{report:?}");
    let calls = calls(&server).await;
    let names: Vec<_> = calls.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "dead-charges:pull",
            "dead-charges:modifyAckDeadline",
            "tasks",
            "tasks",
            // The backup queue of the one that is gone.
            "tasks",
            "dead-charges:acknowledge",
            "dead-charges:pull",
            "dead-charges:modifyAckDeadline",
        ]
    );
    assert_eq!(calls[0].1, json!({"maxMessages": 100, "returnImmediately": true}));
    assert_eq!(
        calls[1].1,
        json!({"ackIds": ["ack-m1", "ack-m2"], "ackDeadlineSeconds": 600})
    );
    assert_eq!(calls[5].1, json!({"ackIds": ["ack-m1"]}));
    assert_eq!(calls[7].1, json!({"ackIds": ["ack-m2"], "ackDeadlineSeconds": 0}));
    let task = &calls[2].1["task"];
    let name = task["name"].as_str().unwrap();
    assert!(
        name.starts_with("projects/acme/locations/europe-west1/queues/billing/tasks/"),
        "{name}"
    );
    assert!(!name.ends_with("/c1"));
    assert_eq!(task["dispatchDeadline"], "20s");
    let request = &task["httpRequest"];
    assert_eq!(request["url"], "https://shop.example/tasks/Charge");
    assert_eq!(request["body"], STANDARD.encode(r#"{"invoice":7}"#));
    assert_eq!(
        request["headers"],
        json!({"content-type": "application/json", "x-cloud-tasks-timeout": "20", "x-request-id": "r1"})
    );
}

#[tokio::test]
async fn an_answer_that_refuses_says_which_role_is_missing() {
    let server = MockServer::start().await;
    let error = json!({"code": 403, "message": "not allowed", "status": "PERMISSION_DENIED"});
    let answer = ResponseTemplate::new(403).set_body_json(json!({"error": error}));
    Mock::given(any()).respond_with(answer).mount(&server).await;

    let dead = runtime(&server).await.dead_tasks("dead-charges");
    let error = dead.list().await.unwrap_err();

    assert_eq!(
        format!("{error:#}"),
        "projects/acme/subscriptions/dead-charges was not read (pull): the service reports an error with code \
         PERMISSION_DENIED described as: not allowed; the caller needs roles/pubsub.subscriber on \
         projects/acme/subscriptions/dead-charges: `gcloud pubsub subscriptions add-iam-policy-binding \
         projects/acme/subscriptions/dead-charges --member=serviceAccount:CALLER --role=roles/pubsub.subscriber`"
    );
}
