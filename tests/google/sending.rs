//! What an enqueue sends.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cloud_tasks::backend::RetrySettings;
use cloud_tasks::task::Enqueue;
use cloud_tasks::{Config, Context, Task, TaskResult, task};
use http::{HeaderValue, Response};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::stage::{enqueue_with, http_request, runtime_with, task_headers, the_only_request, willing_api};
use crate::support::api::{QUEUES, config, google, sent};
use crate::tasks::{Welcome, welcome};

#[derive(Serialize, Deserialize)]
struct Say {
    text: String,
}

#[task]
impl Task for Say {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct CloseBooks;

#[task(timeout = "20m")]
impl Task for CloseBooks {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[tokio::test]
async fn an_enqueue_is_one_post_of_these_bytes_to_its_queue() {
    let (request, enqueued) = enqueue_with(config(), welcome().task_id("welcome-7")).await;

    assert_eq!(request.method, "POST");
    assert_eq!(
        request.url.path(),
        "/v2/projects/acme/locations/europe-west1/queues/emails/tasks"
    );
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(
        String::from_utf8_lossy(&request.body),
        concat!(
            r#"{"task":{"name":"projects/acme/locations/europe-west1/queues/emails/tasks/welcome-7","#,
            r#""httpRequest":{"url":"https://shop.example/tasks/Welcome","httpMethod":1,"#,
            r#""headers":{"content-type":"application/json"},"body":"eyJ1c2VyX2lkIjo3fQ==","#,
            r#""oidcToken":{"serviceAccountEmail":"tasks@acme.iam.gserviceaccount.com","#,
            r#""audience":"https://shop.example"}}}}"#,
        )
    );
    assert_eq!(
        (enqueued.queue(), enqueued.id(), enqueued.schedule_time()),
        ("emails", "welcome-7", None)
    );
    assert!(!enqueued.duplicate());
}

#[tokio::test]
async fn everything_that_a_call_says_is_in_the_message() {
    let time = in_an_hour();
    let enqueue = Welcome { user_id: 7 }
        .later(time)
        .queue("slow")
        .task_id("welcome-7")
        .header("X-Request-Id", "abc")
        .timeout(Duration::from_secs(900));

    let (request, enqueued) = enqueue_with(config(), enqueue).await;

    assert_eq!(request.url.path(), format!("/v2/{QUEUES}/slow/tasks"));
    assert_eq!(
        sent(&request),
        json!({"task": {
            "name": format!("{QUEUES}/slow/tasks/welcome-7"),
            "scheduleTime": humantime::format_rfc3339_nanos(time).to_string(),
            "dispatchDeadline": "900s",
            "httpRequest": {
                "url": "https://shop.example/tasks/Welcome",
                "httpMethod": 1,
                "headers": {
                    "content-type": "application/json",
                    "x-request-id": "abc",
                    "x-cloud-tasks-timeout": "900",
                },
                "body": STANDARD.encode(r#"{"user_id":7}"#),
                "oidcToken": {
                    "serviceAccountEmail": "tasks@acme.iam.gserviceaccount.com",
                    "audience": "https://shop.example",
                },
            },
        }})
    );
    assert_eq!((enqueued.queue(), enqueued.id()), ("slow", "welcome-7"));
    assert_eq!(enqueued.schedule_time(), Some(time));
}

/// An instant that needs all nine digits of a fraction.
fn in_an_hour() -> SystemTime {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    SystemTime::UNIX_EPOCH + Duration::new(now.as_secs() + 3600, 123_456_789)
}

#[tokio::test]
async fn arguments_of_any_characters_arrive_as_their_json() {
    // Of these the alphabets of base64 make different texts.
    let text = "???>>>~~~ \u{fffd}é漢\0\"\n".to_owned();

    let (request, _) = enqueue_with(config(), Say { text: text.clone() }.asap()).await;

    let body = STANDARD
        .decode(http_request(&request)["body"].as_str().unwrap())
        .unwrap();
    assert_eq!(body, serde_json::to_vec(&json!({"text": text})).unwrap());
}

#[tokio::test]
async fn a_task_without_arguments_sends_an_empty_object() {
    let (request, _) = enqueue_with(config(), CloseBooks.asap()).await;

    assert_eq!(http_request(&request)["body"], STANDARD.encode("{}"));
}

#[tokio::test]
async fn a_task_that_names_no_queue_goes_to_the_applications() {
    let (request, enqueued) = enqueue_with(config().with_app_name("shop"), CloseBooks.asap()).await;

    assert_eq!(request.url.path(), format!("/v2/{QUEUES}/shop/tasks"));
    assert_eq!(enqueued.queue(), "shop");
}

#[tokio::test]
async fn the_client_makes_an_id_if_none_is_given_and_calls_are_retried() {
    let (request, enqueued) = enqueue_with(config(), welcome()).await;

    assert_eq!(enqueued.id().len(), 32, "{enqueued:?}");
    assert_eq!(
        sent(&request)["task"]["name"],
        format!("{QUEUES}/emails/tasks/{}", enqueued.id())
    );
}

#[tokio::test]
async fn two_tasks_get_two_ids() {
    let api = willing_api().await;
    let runtime = runtime_with(config(), google(api.uri())).await;

    let first = welcome().on(&runtime).await.unwrap();
    let second = welcome().on(&runtime).await.unwrap();

    assert_ne!(first.id(), second.id());
}

#[tokio::test]
async fn no_name_is_sent_without_retries_and_without_an_id() {
    let once = config().with_enqueue_retry(RetrySettings::off());

    let (request, enqueued) = enqueue_with(once, welcome()).await;

    assert_eq!(sent(&request)["task"].get("name"), None);
    assert_eq!(enqueued.id(), "made-by-the-service");
}

#[tokio::test]
async fn a_given_id_is_sent_without_retries_too() {
    let once = config().with_enqueue_retry(RetrySettings::off());

    let (request, enqueued) = enqueue_with(once, welcome().task_id("welcome-7")).await;

    assert_eq!(
        sent(&request)["task"]["name"],
        format!("{QUEUES}/emails/tasks/welcome-7")
    );
    assert_eq!(enqueued.id(), "welcome-7");
}

#[tokio::test]
async fn a_tasks_own_timeout_is_its_deadline_and_needs_no_header() {
    let (request, _) = enqueue_with(config(), CloseBooks.asap()).await;

    assert_eq!(sent(&request)["task"]["dispatchDeadline"], "1200s");
    assert_eq!(
        task_headers(&request),
        json!({"content-type": "application/json"})
    );
}

#[tokio::test]
async fn the_timeout_of_a_call_wins_and_is_sent_to_the_handler() {
    let timeout = Duration::from_millis(15_500);

    let (request, _) = enqueue_with(config(), CloseBooks.asap().timeout(timeout)).await;

    assert_eq!(sent(&request)["task"]["dispatchDeadline"], "15.5s");
    assert_eq!(task_headers(&request)["x-cloud-tasks-timeout"], "15.5");
}

#[tokio::test]
async fn the_receipt_has_the_time_that_the_service_returned() {
    let api = MockServer::start().await;
    let answer = json!({
        "name": format!("{QUEUES}/emails/tasks/7"),
        "scheduleTime": "2030-01-02T03:04:05.678901Z",
    });
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&api)
        .await;
    let runtime = runtime_with(config(), google(api.uri())).await;

    let enqueued = welcome().on(&runtime).await.unwrap();

    let told = humantime::parse_rfc3339("2030-01-02T03:04:05.678901Z").unwrap();
    assert_eq!(enqueued.schedule_time(), Some(told));
}

#[tokio::test]
async fn the_path_of_the_endpoint_stays_and_its_last_slash_goes() {
    let endpoint = config().with_endpoint("https://shop.example/jobs/");

    let (request, _) = enqueue_with(endpoint, welcome()).await;

    let request = http_request(&request);
    assert_eq!(request["url"], "https://shop.example/jobs/tasks/Welcome");
    assert_eq!(request["oidcToken"]["audience"], "https://shop.example/jobs");
}

/// Enqueues from a handler behind the layer, which is called with these headers; gives back the headers of the task.
async fn enqueue_behind_the_layer(
    config: Config,
    headers: &[(&'static str, &[u8])],
    enqueue: fn() -> Enqueue,
) -> Value {
    let api = willing_api().await;
    let runtime = runtime_with(config, google(api.uri())).await;
    let inner = tower::service_fn(move |_request: http::Request<Full<Bytes>>| async move {
        enqueue().await.map(|_| Response::new(Full::<Bytes>::default()))
    });
    let mut request = http::Request::post("/signup").body(Full::default()).unwrap();
    for (name, value) in headers {
        request
            .headers_mut()
            .append(*name, HeaderValue::from_bytes(value).unwrap());
    }

    runtime.layer().layer(inner).oneshot(request).await.unwrap();

    task_headers(&the_only_request(&api).await)
}

#[tokio::test]
async fn listed_headers_of_a_request_are_propagated_to_its_tasks() {
    let config = config().with_propagated_headers(["TraceParent", "x-tenant", "x-absent"]);
    let request: &[(_, &[u8])] = &[
        ("traceparent", b"00-trace-span-01"),
        ("x-tenant", b"acme"),
        ("cookie", b"session=secret"),
        ("authorization", b"Bearer secret"),
    ];

    let headers = enqueue_behind_the_layer(config, request, || welcome().header("x-request-id", "abc")).await;

    assert_eq!(
        headers,
        json!({
            "content-type": "application/json",
            "traceparent": "00-trace-span-01",
            "x-tenant": "acme",
            "x-request-id": "abc",
        })
    );
}

#[tokio::test]
async fn a_header_of_the_call_wins_over_one_of_the_request() {
    let request: &[(_, &[u8])] = &[("traceparent", b"of-the-request")];

    let headers = enqueue_behind_the_layer(config(), request, || {
        welcome().header("Traceparent", "of-the-call")
    })
    .await;

    assert_eq!(headers["traceparent"], "of-the-call");
}

#[tokio::test]
async fn a_header_that_a_request_carries_twice_goes_along_whole() {
    let config = config().with_propagated_headers(["tracestate"]);
    let request: &[(_, &[u8])] = &[("tracestate", b"one=1"), ("tracestate", b"two=2")];

    let headers = enqueue_behind_the_layer(config, request, welcome).await;

    assert_eq!(headers["tracestate"], "one=1, two=2");
}
