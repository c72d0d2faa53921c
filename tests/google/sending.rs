//! The Google backend on the wire: what it sends, as whom, and what it makes of a refusal.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use cloud_tasks::backend::{Google, RetrySettings};
use cloud_tasks::task::{Enqueue, Enqueued};
use cloud_tasks::{Config, Context, Error, ErrorKind, Runtime, Task, TaskResult, task};
use google_cloud_auth::credentials::{CacheableResource, CredentialsProvider, EntityTag, anonymous};
use google_cloud_auth::errors::CredentialsError;
use http::{Extensions, HeaderMap, HeaderValue, Response};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use wiremock::matchers::{any, header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::api::{QUEUES, config, created, google, refused, sent};
use crate::support::child;
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

/// An API that creates every task.
pub(crate) async fn willing_api() -> MockServer {
    let api = MockServer::start().await;
    Mock::given(any()).respond_with(created).mount(&api).await;
    api
}

async fn runtime_with(config: Config, google: Google) -> Runtime {
    Runtime::builder()
        .config(config)
        .google(google)
        .build()
        .await
        .unwrap()
}

pub(crate) async fn requests(api: &MockServer) -> Vec<Request> {
    api.received_requests().await.unwrap()
}

async fn the_only_request(api: &MockServer) -> Request {
    let requests = requests(api).await;
    assert_eq!(requests.len(), 1, "{requests:?}");
    requests[0].clone()
}

/// Enqueues a task with these settings, and gives back the request that it made, and its receipt.
async fn enqueue_with(config: Config, enqueue: Enqueue) -> (Request, Enqueued) {
    let api = willing_api().await;
    let runtime = runtime_with(config, google(api.uri())).await;

    let enqueued = enqueue.on(&runtime).await.unwrap();

    (the_only_request(&api).await, enqueued)
}

fn http_request(request: &Request) -> Value {
    sent(request)["task"]["httpRequest"].clone()
}

fn task_headers(request: &Request) -> Value {
    http_request(request)["headers"].clone()
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

#[tokio::test]
async fn the_variable_of_the_emulator_leads_there_without_credentials() {
    let emulator = willing_api().await;
    let host = emulator.address().to_string();
    let config = Config::from_vars([("CLOUD_TASKS_EMULATOR_HOST", host.as_str())]).unwrap();
    let runtime = runtime_with(config, Google::new()).await;

    let enqueued = welcome().on(&runtime).await.unwrap();

    let request = the_only_request(&emulator).await;
    assert_eq!(
        request.url.path(),
        "/v2/projects/local/locations/local/queues/emails/tasks"
    );
    assert!(!request.headers.contains_key("authorization"));
    assert_eq!(
        http_request(&request)["url"],
        "http://localhost:8080/tasks/Welcome"
    );
    assert_eq!(enqueued.queue(), "emails");
}

#[tokio::test]
async fn an_emulator_receives_the_project_location_and_account_of_the_settings() {
    let emulator = willing_api().await;
    let config = config().with_cloud_tasks_emulator_host(emulator.address().to_string());
    let runtime = runtime_with(config, Google::new()).await;

    welcome().on(&runtime).await.unwrap();

    let request = the_only_request(&emulator).await;
    assert_eq!(request.url.path(), format!("/v2/{QUEUES}/emails/tasks"));
    assert_eq!(
        http_request(&request)["oidcToken"]["serviceAccountEmail"],
        "tasks@acme.iam.gserviceaccount.com"
    );
}

/// Credentials whose token is another one every time.
#[derive(Debug)]
struct Rotating {
    given: AtomicU32,
}

impl CredentialsProvider for Rotating {
    async fn headers(&self, _: Extensions) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let number = self.given.fetch_add(1, Ordering::Relaxed);
        let value = HeaderValue::from_str(&format!("Bearer token-{number}")).unwrap();
        Ok(CacheableResource::New {
            entity_tag: EntityTag::new(),
            data: HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]),
        })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

#[tokio::test]
async fn credentials_that_were_passed_are_asked_for_every_call() {
    let api = willing_api().await;
    let credentials = Rotating {
        given: AtomicU32::new(1),
    };
    let runtime = runtime_with(config(), google(api.uri()).credentials(credentials)).await;

    welcome().on(&runtime).await.unwrap();
    welcome().on(&runtime).await.unwrap();

    let tokens: Vec<_> = requests(&api)
        .await
        .iter()
        .map(|request| request.headers["authorization"].clone())
        .collect();
    assert_eq!(tokens, ["Bearer token-1", "Bearer token-2"]);
}

/// The child's part of the tests below: enqueues two tasks as its environment says.
#[tokio::test]
#[ignore = "part of other tests, which run it in a process of its own"]
async fn enqueues_two_tasks_as_its_environment_says() {
    let Some(api) = child::api() else { return };
    let mut google = Google::new();
    if !api.is_empty() {
        google = google.api_endpoint(api);
    }
    if child::is_anonymous() {
        google = google.credentials(anonymous::Builder::new().build());
    }
    let enqueue_two = async {
        let runtime = Runtime::builder()
            .config(Config::from_env()?)
            .google(google)
            .build()
            .await?;
        let first = welcome().on(&runtime).await?;
        let second = welcome().on(&runtime).await?;
        Ok(vec![first.id().to_owned(), second.id().to_owned()])
    };

    child::tell(&enqueue_two.await);
}

/// Whether the child gets credentials from the test, or finds its own.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Credentials {
    Passed,
    Found,
}

pub(crate) async fn in_a_child(
    api: Option<&MockServer>,
    credentials: Credentials,
    vars: &[(&str, &str)],
) -> Result<Value, String> {
    let api = api.map(MockServer::uri).unwrap_or_default();
    child::run(
        "sending::enqueues_two_tasks_as_its_environment_says",
        &api,
        credentials == Credentials::Passed,
        vars,
    )
    .await
}

/// A location and an account, in the child's environment.
const LOCATION: (&str, &str) = ("CLOUD_TASKS_LOCATION", "europe-west1");
const ACCOUNT: (&str, &str) = (
    "CLOUD_TASKS_SERVICE_ACCOUNT",
    "tasks@of-the-settings.iam.gserviceaccount.com",
);

/// Asserts the project whose queue got the child's task, and the account that signs its attempts.
fn assert_sent_from(project: &str, account: &str, request: &Request) {
    assert_eq!(
        request.url.path(),
        format!("/v2/projects/{project}/locations/europe-west1/queues/emails/tasks")
    );
    assert_eq!(http_request(request)["oidcToken"]["serviceAccountEmail"], account);
}

/// A key file of a service account, gone when this is dropped.
pub(crate) struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    const ACCOUNT: &str = "robot@from-the-file.iam.gserviceaccount.com";

    /// Writes a file whose tokens come from `token_uri`. Its key is good for nothing else than these tests.
    pub(crate) fn write(name: &str, token_uri: &str) -> Self {
        // Tests of one process may choose the same name.
        static FILES: AtomicU32 = AtomicU32::new(0);
        let key = STANDARD.encode(include_bytes!("../fixtures/throwaway-key.pk8"));
        let file = json!({
            "type": "service_account",
            "project_id": "from-the-file",
            "private_key_id": "throwaway",
            "private_key": format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n"),
            "client_email": Self::ACCOUNT,
            "client_id": "1",
            "token_uri": token_uri,
        });
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{name}-{}-{number}.json", std::process::id()));
        std::fs::write(&path, file.to_string()).unwrap();
        Self { path }
    }

    pub(crate) fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        // Left behind it would be harmless.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// An OAuth server that gives this token for every assertion.
pub(crate) async fn token_server(token: &str) -> MockServer {
    let server = MockServer::start().await;
    let answer = json!({"access_token": token, "expires_in": 3600, "token_type": "Bearer"});
    Mock::given(method("POST"))
        .and(path("/token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn a_key_file_gives_the_token_the_project_and_the_account() {
    let (api, oauth) = (willing_api().await, token_server("of-the-file").await);
    let token_uri = format!("{}/token", oauth.uri());
    let file = KeyFile::write("token", &token_uri);

    let ids = in_a_child(
        Some(&api),
        Credentials::Found,
        &[
            ("GOOGLE_APPLICATION_CREDENTIALS", file.path()),
            LOCATION,
            ("CLOUD_TASKS_ENDPOINT", "https://shop.example"),
        ],
    )
    .await
    .unwrap();

    let exchange = the_only_request(&oauth).await;
    let (grant, claims) = assertion(&exchange);
    assert_eq!(grant, "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert_eq!(claims["iss"], KeyFile::ACCOUNT);
    assert_eq!(claims["aud"], token_uri.as_str());
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/cloud-platform");
    let requests = requests(&api).await;
    assert_eq!(requests.len(), 2, "{requests:?}");
    for (request, id) in requests.iter().zip(ids.as_array().unwrap()) {
        let queue = "projects/from-the-file/locations/europe-west1/queues/emails";
        assert_sent_from("from-the-file", KeyFile::ACCOUNT, request);
        assert_eq!(request.headers["authorization"], "Bearer of-the-file");
        assert_eq!(
            sent(request)["task"]["name"],
            format!("{queue}/tasks/{}", id.as_str().unwrap())
        );
    }
}

/// The grant type and the claims of a request for a token.
fn assertion(request: &Request) -> (String, Value) {
    let uri = format!("http://form/?{}", String::from_utf8_lossy(&request.body));
    let form: Vec<(String, String)> = request
        .url
        .join(&uri)
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).unwrap().1.clone();
    let jwt = field("assertion");
    let claims = jwt.split('.').nth(1).unwrap();
    (
        field("grant_type"),
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap(),
    )
}

#[tokio::test]
async fn a_setting_wins_over_the_key_file() {
    let (api, oauth) = (willing_api().await, token_server("of-the-file").await);
    let file = KeyFile::write("settings", &format!("{}/token", oauth.uri()));

    in_a_child(
        Some(&api),
        Credentials::Found,
        &[
            ("GOOGLE_APPLICATION_CREDENTIALS", file.path()),
            ("GOOGLE_CLOUD_PROJECT", "of-the-settings"),
            LOCATION,
            ACCOUNT,
        ],
    )
    .await
    .unwrap();

    assert_sent_from("of-the-settings", ACCOUNT.1, &requests(&api).await[0]);
}

/// A token server that gives these answers, and then a token.
pub(crate) async fn token_server_after(answers: impl IntoIterator<Item = ResponseTemplate>) -> MockServer {
    let server = token_server("of-the-file").await;
    for (priority, answer) in (1..).zip(answers) {
        Mock::given(any())
            .respond_with(answer)
            .up_to_n_times(1)
            .with_priority(priority)
            .mount(&server)
            .await;
    }
    server
}

pub(crate) fn oauth_error(status: u16, error: &str) -> ResponseTemplate {
    let body = json!({"error": error, "error_description": "Invalid JWT Signature."});
    ResponseTemplate::new(status).set_body_json(body)
}

/// Enqueues with the key of a file whose tokens come from this server.
pub(crate) async fn enqueue_with_a_key(
    name: &str,
    oauth: &MockServer,
    api: &MockServer,
) -> Result<Value, String> {
    let file = KeyFile::write(name, &format!("{}/token", oauth.uri()));
    in_a_child(
        Some(api),
        Credentials::Found,
        &[
            ("GOOGLE_APPLICATION_CREDENTIALS", file.path()),
            LOCATION,
            ("CLOUD_TASKS_ENQUEUE_RETRY_INITIAL", "0.001"),
        ],
    )
    .await
}

#[tokio::test]
async fn a_key_that_was_revoked_is_reported_at_once() {
    for (status, reason) in [
        (400, "invalid_grant"),
        (401, "invalid_client"),
        (401, "deleted_client"),
        (403, "access_denied"),
        (404, "not_found"),
    ] {
        let api = willing_api().await;
        let oauth = token_server_after([oauth_error(status, reason)]).await;

        let error = enqueue_with_a_key(&format!("revoked-{reason}"), &oauth, &api)
            .await
            .unwrap_err();

        assert!(
            error.starts_with("task Welcome was not created in queue emails: "),
            "{error}"
        );
        for part in [
            &format!("answered {status}") as &str,
            reason,
            "Invalid JWT Signature.",
            "the credentials were not accepted",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert_eq!(requests(&oauth).await.len(), 1, "{status} {reason}");
        assert_eq!(requests(&api).await.len(), 0, "{status} {reason}");
    }
}

#[tokio::test]
async fn a_token_server_that_is_away_for_a_while_is_asked_again() {
    let api = willing_api().await;
    let oauth = token_server_after([
        ResponseTemplate::new(503),
        ResponseTemplate::new(429),
        ResponseTemplate::new(200).set_body_string("<html>Welcome to the hotel</html>"),
    ])
    .await;

    enqueue_with_a_key("away", &oauth, &api).await.unwrap();

    assert_eq!(requests(&oauth).await.len(), 4);
    assert_eq!(requests(&api).await.len(), 2);
}

/// What `gcloud auth application-default login` writes, and files that are of no use.
#[tokio::test]
async fn a_file_that_is_of_no_use_is_refused_by_build_with_the_reason() {
    for (name, text, reason) in [
        ("broken", "{", "it is not JSON"),
        ("empty", "{}", "its key cannot be used"),
        (
            "half",
            r#"{"type": "authorized_user", "client_id": "1"}"#,
            "missing field `client_secret`",
        ),
        (
            "federated",
            r#"{"type": "external_account"}"#,
            "its type is \"external_account\"",
        ),
    ] {
        let file = KeyFile::write(name, "http://127.0.0.1:1/token");
        std::fs::write(file.path(), text).unwrap();

        let error = in_a_child(
            None,
            Credentials::Found,
            &[("GOOGLE_APPLICATION_CREDENTIALS", file.path()), LOCATION],
        )
        .await
        .unwrap_err();

        assert!(error.contains(reason), "{name}: {error}");
        assert!(error.contains(file.path()), "{name}: {error}");
    }
}

/// A metadata server that knows a project and an account, and answers with these headers.
async fn metadata_server(flavor: Option<&str>) -> MockServer {
    let metadata = MockServer::start().await;
    for (key, value) in [
        ("project/project-id", "of-the-machine"),
        (
            "instance/service-accounts/default/email",
            "machine@of-the-machine.iam.gserviceaccount.com\n",
        ),
    ] {
        let mut answer = ResponseTemplate::new(200).set_body_string(value);
        if let Some(flavor) = flavor {
            answer = answer.insert_header("metadata-flavor", flavor);
        }
        Mock::given(method("GET"))
            .and(path(format!("/computeMetadata/v1/{key}")))
            .and(header("metadata-flavor", "Google"))
            .respond_with(answer)
            .mount(&metadata)
            .await;
    }
    metadata
}

#[tokio::test]
async fn the_project_comes_from_the_metadata_server() {
    let (api, metadata) = (willing_api().await, metadata_server(Some("Google")).await);

    in_a_child(
        Some(&api),
        Credentials::Passed,
        &[
            ("GCE_METADATA_HOST", &metadata.address().to_string()),
            LOCATION,
            ACCOUNT,
        ],
    )
    .await
    .unwrap();

    assert_sent_from("of-the-machine", ACCOUNT.1, &requests(&api).await[0]);
}

#[tokio::test]
async fn the_account_of_credentials_from_code_is_never_asked_of_the_metadata_server() {
    let (api, metadata) = (willing_api().await, metadata_server(Some("Google")).await);

    let error = in_a_child(
        Some(&api),
        Credentials::Passed,
        &[("GCE_METADATA_HOST", &metadata.address().to_string()), LOCATION],
    )
    .await
    .unwrap_err();

    assert!(error.contains("CLOUD_TASKS_SERVICE_ACCOUNT"), "{error}");
    let asked = requests(&metadata).await;
    assert!(asked.iter().all(|request| !request.url.path().contains("email")));
}

#[tokio::test]
async fn an_answer_without_the_header_of_the_metadata_server_is_not_believed() {
    for flavor in [None, Some("Someone else"), Some("google")] {
        let (api, metadata) = (willing_api().await, metadata_server(flavor).await);

        let error = in_a_child(
            Some(&api),
            Credentials::Passed,
            &[
                ("GCE_METADATA_HOST", &metadata.address().to_string()),
                LOCATION,
                (
                    "CLOUD_TASKS_SERVICE_ACCOUNT",
                    "tasks@acme.iam.gserviceaccount.com",
                ),
            ],
        )
        .await
        .unwrap_err();

        assert!(error.contains("the Google Cloud project is unknown"), "{error}");
        assert_eq!(requests(&metadata).await.len(), 1);
    }
}

/// A `gcloud` that is logged in, alone on a path, in a home without other credentials.
struct FoundGcloud {
    home: PathBuf,
}

impl FoundGcloud {
    fn install(name: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;

        let home = std::env::temp_dir().join(format!("cloud-tasks-{}-gcloud-{name}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let script = home.join("gcloud");
        std::fs::write(
            &script,
            "#!/bin/sh\ncase \"$1\" in auth) echo a-token;; *) echo of-gcloud;; esac\n",
        )
        .unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { home }
    }

    fn path(&self) -> &str {
        self.home.to_str().unwrap()
    }
}

impl Drop for FoundGcloud {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

#[tokio::test]
async fn the_account_of_found_credentials_is_only_believed_of_a_metadata_server() {
    const MACHINE: &str = "machine@of-the-machine.iam.gserviceaccount.com";
    for (name, flavor, account) in [
        ("google", Some("Google"), Some(MACHINE)),
        ("none", None, None),
        ("lower", Some("google"), None),
        ("other", Some("Google, Google"), None),
        ("empty", Some(""), None),
    ] {
        let (api, metadata) = (willing_api().await, metadata_server(flavor).await);
        let gcloud = FoundGcloud::install(name);

        let outcome = in_a_child(
            Some(&api),
            Credentials::Found,
            &[
                ("GCE_METADATA_HOST", &metadata.address().to_string()),
                ("CLOUD_TASKS_LOCATION", "europe-west1"),
                ("HOME", gcloud.path()),
                ("PATH", gcloud.path()),
            ],
        )
        .await;

        match (outcome, account) {
            (Ok(_), Some(account)) => {
                let request = requests(&api).await.swap_remove(0);
                assert_eq!(
                    http_request(&request)["oidcToken"]["serviceAccountEmail"],
                    account
                );
                assert_eq!(request.headers["authorization"], "Bearer a-token");
            }
            (Err(error), None) => {
                assert!(
                    error.contains("CLOUD_TASKS_SERVICE_ACCOUNT"),
                    "{flavor:?}: {error}"
                );
                assert_eq!(requests(&api).await.len(), 0);
            }
            (outcome, _) => panic!("{flavor:?}: {outcome:?}"),
        }
        let asked = requests(&metadata).await;
        assert!(
            asked.iter().any(|request| request.url.path().ends_with("/email")),
            "{flavor:?}"
        );
    }
}

#[tokio::test]
async fn an_emulator_of_the_settings_is_called_without_the_credentials_of_the_code() {
    let emulator = willing_api().await;
    let config = config().with_cloud_tasks_emulator_host(emulator.address().to_string());
    let credentials = Rotating {
        given: AtomicU32::new(1),
    };
    let runtime = runtime_with(config, Google::new().credentials(credentials)).await;

    welcome().on(&runtime).await.unwrap();
    // Other calls go another way.
    let _ = runtime.queue("emails").pause().await;
    let _ = runtime.queue("emails").get("7").await;

    let requests = requests(&emulator).await;
    assert!(requests.len() >= 3, "{requests:?}");
    for request in requests {
        assert!(!request.headers.contains_key("authorization"), "{request:?}");
    }
}

#[tokio::test]
async fn build_names_everything_that_is_missing_at_once() {
    // A metadata server that knows nothing: there may be a real one.
    let metadata = MockServer::start().await;

    let error = in_a_child(
        None,
        Credentials::Passed,
        &[
            ("GCE_METADATA_HOST", &metadata.address().to_string()),
            ("CLOUD_TASKS_APP_NAME", "not a queue"),
        ],
    )
    .await
    .unwrap_err();

    assert!(error.contains("for 8 reasons"), "{error}");
    for expected in [
        "\"http://localhost:8080\"",
        "CLOUD_TASKS_ENDPOINT",
        "CLOUD_TASKS_PROJECT",
        "GOOGLE_CLOUD_PROJECT",
        "CLOUD_TASKS_LOCATION",
        "CLOUD_TASKS_SERVICE_ACCOUNT",
        "the queue \"not a queue\"",
        "the topic \"not a queue--counted\"",
        "the topic \"not a queue--said\"",
        "the topic \"not a queue--spread\"",
    ] {
        assert!(error.contains(expected), "{expected} is not in: {error}");
    }
}

#[tokio::test]
async fn build_names_missing_credentials_along_with_all_other_errors() {
    let error = in_a_child(
        None,
        Credentials::Found,
        &[("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")],
    )
    .await
    .unwrap_err();

    assert!(error.contains("for 5 reasons"), "{error}");
    for expected in [
        "no Google credentials were found",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "gcloud auth application-default login",
        "CLOUD_TASKS_ENDPOINT",
        "CLOUD_TASKS_PROJECT",
        "CLOUD_TASKS_LOCATION",
        "CLOUD_TASKS_SERVICE_ACCOUNT",
    ] {
        assert!(error.contains(expected), "{expected} is not in: {error}");
    }
}

#[tokio::test]
async fn an_endpoint_that_google_cannot_reach_is_refused_by_build() {
    let google = Google::new().credentials(anonymous::Builder::new().build());
    let config = config().with_endpoint("http://shop.example");

    let error = Runtime::builder()
        .config(config)
        .google(google)
        .build()
        .await
        .unwrap_err();

    assert!(error.is_build());
    assert!(error.to_string().contains("\"http://shop.example\""), "{error}");
    assert!(error.to_string().contains("https"), "{error}");
}

/// Enqueues a task at an API that refuses every one, and gives back the error.
async fn refused_with(http: u16, code: &str, message: &str) -> Error {
    let api = MockServer::start().await;
    Mock::given(any())
        .respond_with(refused(http, code, message))
        // A queue that is gone has a backup queue, which is asked as well.
        .expect(1..=2)
        .mount(&api)
        .await;
    let runtime = runtime_with(config(), google(api.uri())).await;

    welcome().on(&runtime).await.unwrap_err()
}

#[track_caller]
fn assert_refused(error: &Error, parts: &[&str]) {
    assert_eq!(error.kind(), ErrorKind::Rejected, "{error}");
    assert!(!error.may_have_taken_effect(), "{error}");
    let text = format!("{error:#}");
    assert!(
        text.starts_with("task Welcome was not created in queue emails: "),
        "{text}"
    );
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_named_with_the_command_that_makes_it() {
    let error = refused_with(404, "NOT_FOUND", "Requested entity was not found.").await;

    assert_refused(
        &error,
        &[
            "Requested entity was not found.",
            "gcloud tasks queues create projects/acme/locations/europe-west1/queues/emails",
        ],
    );
}

#[tokio::test]
async fn a_queue_that_was_deleted_is_named_with_the_reason() {
    let error = refused_with(400, "FAILED_PRECONDITION", "The queue existed too recently.").await;

    assert_refused(
        &error,
        &[
            "The queue existed too recently.",
            "deleted",
            "projects/acme/locations/europe-west1/queues/emails",
        ],
    );
}

#[tokio::test]
async fn a_caller_without_permission_learns_the_required_roles() {
    let error = refused_with(403, "PERMISSION_DENIED", "The caller lacks a permission.").await;

    assert_refused(
        &error,
        &[
            "The caller lacks a permission.",
            "roles/cloudtasks.enqueuer on projects/acme/locations/europe-west1/queues/emails",
            "roles/iam.serviceAccountUser on tasks@acme.iam.gserviceaccount.com",
        ],
    );
}

#[tokio::test]
async fn refused_credentials_are_named_as_the_reason() {
    let error = refused_with(401, "UNAUTHENTICATED", "Invalid credentials.").await;

    assert_refused(&error, &["Invalid credentials.", "credentials were not accepted"]);
}

#[tokio::test]
async fn a_refused_argument_is_reported_in_the_words_of_the_service() {
    let error = refused_with(400, "INVALID_ARGUMENT", "HttpRequest.url is required.").await;

    assert_refused(&error, &["HttpRequest.url is required."]);
}

#[tokio::test]
async fn a_refusal_keeps_the_clients_error_as_its_source() {
    let error = refused_with(404, "NOT_FOUND", "Requested entity was not found.").await;

    let source = std::error::Error::source(&error).unwrap();
    let cause = source.downcast_ref::<google_cloud_gax::error::Error>().unwrap();
    assert_eq!(cause.http_status_code(), Some(404));
}

#[tokio::test]
async fn a_page_instead_of_an_answer_means_that_nothing_was_created() {
    let api = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(404).set_body_string("<html>Not here</html>"))
        .expect(1)
        .mount(&api)
        .await;
    let runtime = runtime_with(config(), google(api.uri())).await;

    let error = welcome().on(&runtime).await.unwrap_err();

    assert_refused(&error, &["404"]);
}

#[tokio::test]
async fn the_errors_of_many_callers_are_their_own() {
    let api = MockServer::start().await;
    for closed in ["closed", "closed--temp"] {
        Mock::given(path(format!("/v2/{QUEUES}/{closed}/tasks")))
            .respond_with(refused(404, "NOT_FOUND", "Requested entity was not found."))
            .mount(&api)
            .await;
    }
    Mock::given(any()).respond_with(created).mount(&api).await;
    let runtime = Arc::new(runtime_with(config(), google(api.uri())).await);

    let calls = (0..40).map(|number| {
        let queue = if number % 2 == 0 { "open" } else { "closed" };
        welcome().queue(queue).on(&runtime).into_future()
    });
    let outcomes = futures_util::future::join_all(calls).await;

    for (number, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(enqueued) => assert_eq!((number % 2, enqueued.queue()), (0, "open")),
            Err(error) => {
                assert_eq!(number % 2, 1);
                assert!(error.to_string().contains("queues/closed"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn the_remedy_for_a_failed_call_is_named() {
    for (http, code, message, expected) in [
        (
            403,
            "PERMISSION_DENIED",
            "Cloud Tasks API has not been used in project 7 before or it is disabled.",
            "`gcloud services enable cloudtasks.googleapis.com --project acme`",
        ),
        (
            400,
            "FAILED_PRECONDITION",
            "Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.",
            "gcloud tasks queues create projects/acme/locations/europe-west1/queues/emails",
        ),
        (
            302,
            "MOVED",
            "Moved.",
            "CLOUD_TASKS_EMULATOR_HOST, Google::api_endpoint and HTTPS_PROXY",
        ),
    ] {
        let error = refused_with(http, code, message).await;

        assert!(
            format!("{error:#}").contains(expected),
            "{expected} is not in: {error}"
        );
    }
}

#[tokio::test]
async fn an_emulator_that_is_not_there_is_named_by_its_variable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = free.local_addr().unwrap().to_string();
    drop(free);
    let config = Config::default()
        .with_cloud_tasks_emulator_host(host)
        .with_enqueue_retry(RetrySettings::off());
    let runtime = Runtime::builder()
        .config(config)
        .google(Google::new())
        .allow_unauthenticated()
        .build()
        .await
        .unwrap();

    let error = welcome().on(&runtime).await.unwrap_err();

    assert!(
        error
            .to_string()
            .contains("CLOUD_TASKS_EMULATOR_HOST is set, start its emulator"),
        "{error}"
    );
    assert!(!error.may_have_taken_effect(), "{error}");
}

#[tokio::test]
async fn a_path_that_was_pasted_whole_is_refused_with_the_variable() {
    for (variable, value) in [
        ("CLOUD_TASKS_LOCATION", "projects/acme/locations/europe-west1"),
        ("CLOUD_TASKS_PROJECT", "projects/acme"),
        ("GOOGLE_CLOUD_PROJECT", "projects/acme"),
    ] {
        let error = Config::from_vars([(variable, value)]).unwrap_err();

        assert!(
            error.to_string().starts_with(&format!("{variable} is {value:?}")),
            "{error}"
        );
    }
    let config = config().with_location("projects/acme/locations/europe-west1");
    let error = Runtime::builder()
        .config(config)
        .google(google("http://127.0.0.1:9"))
        .build()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("the location"), "{error}");
}

#[tokio::test]
async fn text_of_the_cloud_makes_no_line_of_its_own_in_an_error() {
    let error = refused_with(
        400,
        "INVALID_ARGUMENT",
        "no\nERROR forged \u{1b}[2J\u{9b}\u{202e}\u{2028}",
    )
    .await;

    for text in [format!("{error:#}"), format!("{error:?}")] {
        assert!(
            !text.contains(|char: char| char.is_control() || "\u{202e}\u{2028}".contains(char)),
            "{text:?}"
        );
        assert!(text.contains("\\u{a}ERROR forged"), "{text}");
    }
}

#[tokio::test]
async fn a_redirect_is_named_by_the_settings_that_may_lead_to_it() {
    for status in [301, 302, 307, 308] {
        let api = MockServer::start().await;
        Mock::given(path("/login"))
            .respond_with(ResponseTemplate::new(404).set_body_string("<html>Not here</html>"))
            .mount(&api)
            .await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(status).insert_header("location", "/login"))
            .mount(&api)
            .await;
        let runtime = runtime_with(config(), google(api.uri())).await;

        let error = welcome().on(&runtime).await.unwrap_err();

        assert_refused(
            &error,
            &["CLOUD_TASKS_EMULATOR_HOST, Google::api_endpoint and HTTPS_PROXY"],
        );
    }
}
