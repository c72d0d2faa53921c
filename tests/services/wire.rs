//! The tasks of another service as Google's API receives them.

use std::time::Duration;

use cloud_tasks::task::{Enqueue, SharedTask};
use cloud_tasks::{Config, Runtime};
use serde_json::{Value, json};
use two_services::Charge;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer};

use crate::support::api::{QUEUES, created, google};

/// The settings of the service `shop`, as its environment has them.
fn shop(billing: &str) -> Config {
    Config::from_vars([
        ("CLOUD_TASKS_ENDPOINT", "https://shop.example"),
        ("CLOUD_TASKS_PROJECT", "acme"),
        ("CLOUD_TASKS_LOCATION", "europe-west1"),
        ("CLOUD_TASKS_SERVICE_ACCOUNT", "shop@acme.iam.gserviceaccount.com"),
        ("CLOUD_TASKS_SERVICE_BILLING", billing),
        (
            "CLOUD_TASKS_SERVICE_BILLING_ACCOUNT",
            "billing@other.iam.gserviceaccount.com",
        ),
    ])
    .unwrap()
}

/// The path and the body of the request that creates the task.
async fn enqueued(config: Config, enqueue: Enqueue) -> (String, String) {
    let api = MockServer::start().await;
    Mock::given(any()).respond_with(created).mount(&api).await;
    let runtime = Runtime::builder()
        .config(config)
        .google(google(api.uri()))
        .enqueue_only()
        .build()
        .await
        .unwrap();

    enqueue.task_id("charge-7").on(&runtime).await.unwrap();

    let requests = api.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1, "{requests:?}");
    let body = String::from_utf8(requests[0].body.clone()).unwrap();
    (requests[0].url.path().to_owned(), body)
}

#[tokio::test]
async fn the_task_of_another_service_is_signed_as_its_account_for_its_url() {
    let (path, body) = enqueued(shop("https://billing.example"), Charge { invoice: 7 }.asap()).await;

    assert_eq!(
        path,
        "/v2/projects/acme/locations/europe-west1/queues/charges/tasks"
    );
    assert_eq!(
        body,
        concat!(
            r#"{"task":{"name":"projects/acme/locations/europe-west1/queues/charges/tasks/charge-7","#,
            r#""httpRequest":{"url":"https://billing.example/tasks/Charge","httpMethod":1,"#,
            r#""headers":{"content-type":"application/json"},"body":"eyJpbnZvaWNlIjo3fQ==","#,
            r#""oidcToken":{"serviceAccountEmail":"billing@other.iam.gserviceaccount.com","#,
            r#""audience":"https://billing.example"}},"dispatchDeadline":"120s"}}"#,
        )
    );
}

#[tokio::test]
async fn the_options_of_a_call_and_the_path_of_the_url_are_in_the_message() {
    let enqueue = Charge { invoice: 7 }
        .asap()
        .header("x-request-id", "abc")
        .timeout(Duration::from_secs(90));

    let (_, body) = enqueued(shop("https://billing.example/jobs/"), enqueue).await;

    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({"task": {
            "name": format!("{QUEUES}/charges/tasks/charge-7"),
            "dispatchDeadline": "90s",
            "httpRequest": {
                "url": "https://billing.example/jobs/tasks/Charge",
                "httpMethod": 1,
                "headers": {
                    "content-type": "application/json",
                    "x-request-id": "abc",
                    "x-cloud-tasks-timeout": "90",
                },
                "body": "eyJpbnZvaWNlIjo3fQ==",
                "oidcToken": {
                    "serviceAccountEmail": "billing@other.iam.gserviceaccount.com",
                    "audience": "https://billing.example/jobs",
                },
            },
        }})
    );
}
