//! The transport of enqueues and deletions: the head of its requests, its connections, its tokens and its ways to a server.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cloud_tasks::backend::{Google, RetrySettings};
use cloud_tasks::{Config, ErrorKind, Runtime, Task};
use futures_util::future;
use google_cloud_auth::credentials::{CacheableResource, CredentialsProvider, EntityTag, anonymous};
use google_cloud_auth::errors::CredentialsError;
use google_cloud_tasks_v2::client::CloudTasks;
use google_cloud_tasks_v2::model;
use http::{Extensions, HeaderMap, HeaderValue, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use wiremock::matchers::{any, header};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::credentials::{Credentials, enqueue_with_a_key, in_a_child, oauth_error, token_server_after};
use crate::retries::runtime;
use crate::stage::{requests, tokens, willing_api};
use crate::support::api::{QUEUES, created, google, refused};
use crate::support::child;
use crate::support::peer::{Act, Peer};
use crate::support::wait::within;
use crate::tasks::{Welcome, welcome};

/// A project, a location and an account, in a child's environment.
const NAMES: [(&str, &str); 3] = [
    ("CLOUD_TASKS_PROJECT", "acme"),
    ("CLOUD_TASKS_LOCATION", "europe-west1"),
    (
        "CLOUD_TASKS_SERVICE_ACCOUNT",
        "tasks@acme.iam.gserviceaccount.com",
    ),
];

fn created_by_hand() -> String {
    json!({"name": format!("{QUEUES}/emails/tasks/by-hand")}).to_string()
}

async fn official(url: &str) -> CloudTasks {
    CloudTasks::builder()
        .with_endpoint(url)
        .with_credentials(anonymous::Builder::new().build())
        .build()
        .await
        .unwrap()
}

/// The name that our requests have, and Google's do not, in `x-goog-api-client`.
const OURS: &str = concat!("cloud-tasks/", env!("CARGO_PKG_VERSION"));

#[tokio::test]
async fn requests_have_the_heads_of_googles_client_except_for_its_name() {
    let api = MockServer::start().await;
    let empty = ResponseTemplate::new(200).set_body_json(json!({}));
    Mock::given(any()).respond_with(empty).mount(&api).await;
    for url in [api.uri(), format!("{}/base/", api.uri())] {
        let client = official(&url).await;
        let runtime = runtime(google(url), RetrySettings::off()).await;
        let task =
            model::Task::new().set_http_request(model::HttpRequest::new().set_url("https://a.example"));
        let queue = format!("{QUEUES}/emails");

        client
            .create_task()
            .set_parent(&queue)
            .set_task(task)
            .send()
            .await
            .unwrap();
        welcome().on(&runtime).await.unwrap();
        client
            .delete_task()
            .set_name(format!("{queue}/tasks/7"))
            .send()
            .await
            .unwrap();
        runtime.queue("emails").cancel("7").await.unwrap();
    }

    let requests = requests(&api).await;
    assert_eq!(requests.len(), 8);
    for pair in requests.chunks(2) {
        let [theirs, ours] = pair else { unreachable!() };
        assert_eq!((&ours.method, &ours.url), (&theirs.method, &theirs.url));
        let (mut ours, mut theirs) = (ours.headers.clone(), theirs.headers.clone());
        assert_eq!(ours.remove("x-goog-api-client").unwrap(), OURS);
        assert!(theirs.remove("x-goog-api-client").is_some());
        // Their tasks differ.
        assert_eq!(
            ours.remove("content-length").is_some(),
            theirs.remove("content-length").is_some()
        );
        assert_eq!(ours, theirs);
    }
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_call() {
    let peer = Peer::start([Act::kept_answer(200, &created_by_hand())]).await;
    let runtime = runtime(google(peer.url()), RetrySettings::off()).await;

    for _ in 0..5 {
        welcome().on(&runtime).await.unwrap();
    }

    assert_eq!((peer.bodies().len(), peer.connections()), (5, 1));
}

#[test]
fn the_connections_of_a_tokio_runtime_that_has_ended_are_not_used() {
    let tokio = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let of_the_peer = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let peer = of_the_peer.block_on(Peer::start([Act::kept_answer(200, &created_by_hand())]));
    let runtime = tokio().block_on(runtime(google(peer.url()), RetrySettings::off()));

    for connections in 1..=3 {
        let tokio = tokio();
        for _ in 0..2 {
            tokio.block_on(welcome().on(&runtime).into_future()).unwrap();
        }
        assert_eq!(peer.connections(), connections);
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closes_between_two_calls_costs_no_call() {
    let Act::Keep(answer) = Act::kept_answer(200, &created_by_hand()) else {
        unreachable!()
    };
    // Its head does not say that the connection ends.
    let peer = Peer::start([Act::Send(answer)]).await;
    let runtime = runtime(google(peer.url()), RetrySettings::off()).await;

    for _ in 0..5 {
        welcome().on(&runtime).await.unwrap();
    }

    assert_eq!((peer.bodies().len(), peer.connections()), (5, 5));
}

#[tokio::test]
async fn a_kept_connection_that_breaks_during_a_call_leaves_open_whether_the_task_exists() {
    let peer = Peer::start([Act::kept_answer(200, &created_by_hand()), Act::Reset]).await;
    let runtime = runtime(google(peer.url()), RetrySettings::off()).await;
    welcome().on(&runtime).await.unwrap();

    let error = welcome().on(&runtime).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.may_have_taken_effect(), "{error:#}");
    assert_eq!((peer.bodies().len(), peer.connections()), (2, 1));
}

#[tokio::test]
async fn a_call_on_a_kept_connection_that_breaks_is_repeated_with_the_same_name() {
    let answer = Act::kept_answer(200, &created_by_hand());
    let peer = Peer::start([answer.clone(), Act::Reset, answer]).await;
    let runtime = runtime(google(peer.url()), RetrySettings::default()).await;
    welcome().on(&runtime).await.unwrap();

    welcome().task_id("welcome-7").on(&runtime).await.unwrap();

    let bodies = peer.bodies();
    assert_eq!((bodies.len(), peer.connections()), (3, 2));
    assert_eq!(bodies[1], bodies[2]);
}

#[tokio::test]
async fn a_response_that_is_too_large_is_not_read_to_its_end() {
    let api = MockServer::start().await;
    let huge = ResponseTemplate::new(200).set_body_bytes(vec![b' '; 16 * 1024 * 1024 + 1]);
    Mock::given(any()).respond_with(huge).mount(&api).await;
    let runtime = runtime(google(api.uri()), RetrySettings::off()).await;

    let error = welcome().on(&runtime).await.unwrap_err();

    assert!(error.may_have_taken_effect(), "{error:#}");
    assert!(
        format!("{error:#}").contains("the response has more than 16777216 bytes"),
        "{error:#}"
    );
}

/// Credentials with numbered tokens, which say that a token is still the same.
#[derive(Clone, Debug, Default)]
struct Numbered {
    /// The number of the current token, and its tag.
    current: Arc<std::sync::Mutex<(u32, EntityTag)>>,
    /// How often the token was given, and not only said to be the same.
    given: Arc<AtomicUsize>,
    /// Whether a caller without a tag gets another token.
    renews: bool,
}

impl Numbered {
    fn expire(&self) {
        let mut current = self.current.lock().unwrap();
        *current = (current.0 + 1, EntityTag::new());
    }
}

impl CredentialsProvider for Numbered {
    async fn headers(
        &self,
        extensions: Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let tag = extensions.get::<EntityTag>();
        let is_first = self.given.load(Ordering::SeqCst) == 0;
        if tag.is_none() && !is_first && self.renews {
            self.expire();
        }
        let (number, entity_tag) = self.current.lock().unwrap().clone();
        if tag == Some(&entity_tag) && !is_first {
            return Ok(CacheableResource::NotModified);
        }
        self.given.fetch_add(1, Ordering::SeqCst);
        let value = HeaderValue::from_str(&format!("Bearer token-{number}")).unwrap();
        let project = HeaderValue::from_static("who-pays");
        Ok(CacheableResource::New {
            entity_tag,
            data: HeaderMap::from_iter([
                (http::header::AUTHORIZATION, value),
                (http::HeaderName::from_static("x-goog-user-project"), project),
            ]),
        })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

#[tokio::test]
async fn a_token_is_used_until_the_credentials_have_another_one() {
    let api = willing_api().await;
    let credentials = Numbered::default();
    let runtime = runtime(
        google(api.uri()).credentials(credentials.clone()),
        RetrySettings::off(),
    )
    .await;

    for _ in 0..3 {
        welcome().on(&runtime).await.unwrap();
    }
    credentials.expire();
    welcome().on(&runtime).await.unwrap();
    // Google's client sends the same headers.
    runtime.queue("emails").pause().await.unwrap();

    let tokens: Vec<_> = requests(&api)
        .await
        .iter()
        .map(|request| {
            assert_eq!(request.headers["x-goog-user-project"], "who-pays");
            request.headers["authorization"]
                .to_str()
                .unwrap()
                .replace("Bearer token-", "")
        })
        .collect();
    assert_eq!(tokens, ["0", "0", "0", "1", "1"]);
    assert_eq!(credentials.given.load(Ordering::SeqCst), 2);
}

/// An API that rejects a token, and accepts all others.
async fn api_that_rejects(token: &str) -> MockServer {
    let api = MockServer::start().await;
    Mock::given(header("authorization", format!("Bearer {token}").as_str()))
        .respond_with(refused(401, "UNAUTHENTICATED", "Expired."))
        .mount(&api)
        .await;
    Mock::given(any()).respond_with(created).mount(&api).await;
    api
}

#[tokio::test]
async fn a_rejected_token_is_replaced_and_the_call_is_made_once_more() {
    let api = api_that_rejects("token-0").await;
    let credentials = Numbered {
        renews: true,
        ..Numbered::default()
    };
    let runtime = runtime(google(api.uri()).credentials(credentials), RetrySettings::off()).await;

    welcome().on(&runtime).await.unwrap();

    assert_eq!(tokens(&api).await, ["Bearer token-0", "Bearer token-1"]);
}

#[tokio::test]
async fn a_rejected_token_that_the_credentials_keep_is_reported_after_one_call() {
    let api = api_that_rejects("token-0").await;
    let runtime = runtime(
        google(api.uri()).credentials(Numbered::default()),
        RetrySettings::off(),
    )
    .await;

    let error = welcome().on(&runtime).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(
        format!("{error:#}").contains("the credentials were not accepted"),
        "{error:#}"
    );
    assert_eq!(requests(&api).await.len(), 1);
}

#[tokio::test]
async fn the_token_of_a_key_file_is_fetched_anew_if_the_service_rejects_it() {
    let api = api_that_rejects("stale").await;
    let stale = json!({"access_token": "stale", "expires_in": 3600, "token_type": "Bearer"});
    let oauth = token_server_after([ResponseTemplate::new(200).set_body_json(stale)]).await;

    enqueue_with_a_key("stale", &oauth, &api).await.unwrap();

    assert_eq!(requests(&oauth).await.len(), 2);
    assert_eq!(requests(&api).await.len(), 3);
}

#[tokio::test]
async fn an_account_that_the_service_rejects_is_reported_after_one_more_token() {
    let api = api_that_rejects("of-the-file").await;
    let oauth = token_server_after([oauth_error(500, "later")]).await;

    let error = enqueue_with_a_key("rejected", &oauth, &api).await.unwrap_err();

    assert!(error.contains("the credentials were not accepted"), "{error}");
    // One that failed, one that was rejected, and the same again.
    assert_eq!(requests(&oauth).await.len(), 3);
    assert_eq!(requests(&api).await.len(), 1);
}

/// Creates tasks, and counts its connections.
struct Counting {
    url: String,
    connections: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Counting {
    /// Answers calls in groups of so many, with TLS or without, in the version of HTTP that a connection begins with.
    async fn start(together: usize, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let together = Arc::new(Barrier::new(together));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let (tls, together) = (tls.clone(), Arc::clone(&together));
                open.spawn(async move {
                    match tls {
                        None => serve(stream, together).await,
                        // The client may not trust the certificate.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, together).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            url,
            connections,
            _serving: serving,
        }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, together: Arc<Barrier>) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let together = Arc::clone(&together);
        async move {
            let body = request.into_body().collect().await?.to_bytes();
            together.wait().await;
            let mut body: Value = serde_json::from_slice(&body).unwrap();
            let task = body["task"].take().to_string();
            Ok::<_, hyper::Error>(Response::new(Full::<Bytes>::from(task)))
        }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    // It ends when the client closes.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// Enqueues a thousand tasks at once.
async fn enqueue_a_thousand(runtime: &Runtime) {
    let calls = (0..1000).map(|user_id| runtime.spawn(Welcome { user_id }.asap()));
    let ids: HashSet<_> = within(future::join_all(calls))
        .await
        .into_iter()
        .map(|outcome| outcome.unwrap().unwrap().id().to_owned())
        .collect();
    assert_eq!(ids.len(), 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_burst_opens_at_most_32_connections_by_default() {
    let api = Counting::start(1, None).await;
    let runtime = runtime(google(api.url.as_str()), RetrySettings::default()).await;

    enqueue_a_thousand(&runtime).await;

    assert!(api.connections() <= 32, "{}", api.connections());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn with_http2_a_burst_goes_over_one_connection() {
    let api = Counting::start(8, None).await;
    let runtime = runtime(google(api.url.as_str()).http2(), RetrySettings::default()).await;

    enqueue_a_thousand(&runtime).await;

    assert_eq!(api.connections(), 1);
}

/// The child's part of the tests below: one enqueue with a short attempt, over HTTP/2 if its environment says so.
#[tokio::test]
#[ignore = "part of other tests, which run it in a process of its own"]
async fn enqueues_with_a_short_attempt() {
    let Some(api) = child::api() else { return };
    let mut google = Google::new()
        .credentials(anonymous::Builder::new().build())
        .api_endpoint(api)
        .attempt_timeout(Duration::from_secs(2));
    if std::env::var_os("TEST_HTTP2").is_some() {
        google = google.http2();
    }
    let config = Config::from_env()
        .unwrap()
        .with_enqueue_retry(RetrySettings::off());
    let enqueue = async {
        let runtime = Runtime::builder().config(config).google(google).build().await?;
        let calls = (0..8).map(|_| welcome().on(&runtime).into_future());
        future::try_join_all(calls).await?;
        Ok(vec!["all".to_owned()])
    };
    child::tell(&enqueue.await);
}

pub(crate) const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/ca.pem");

/// TLS for 127.0.0.1, with a certificate of the tests' own authority.
fn tls(protocols: &[&str]) -> TlsAcceptor {
    let certificate = include_bytes!("../fixtures/tls/server.der").to_vec();
    let key = include_bytes!("../fixtures/throwaway-key.pk8").to_vec();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key);
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key.into())
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

async fn enqueue_in_a_child(url: &str, vars: &[(&str, &str)]) -> Result<Value, String> {
    let vars: Vec<_> = NAMES.iter().chain(vars).copied().collect();
    within(child::run(
        "transport::enqueues_with_a_short_attempt",
        url,
        true,
        &vars,
    ))
    .await
}

#[tokio::test]
async fn tls_trusts_the_certificates_of_the_system() {
    let api = Counting::start(8, Some(tls(&[]))).await;

    enqueue_in_a_child(&api.url, &[("SSL_CERT_FILE", CA)])
        .await
        .unwrap();
    assert_eq!(api.connections(), 8);
}

#[tokio::test]
async fn http2_is_negotiated_by_tls_and_otherwise_http1_is_used() {
    for (protocols, connections) in [(&["h2", "http/1.1"][..], 1), (&["http/1.1"], 8), (&[], 8)] {
        let api = Counting::start(if connections == 1 { 8 } else { 1 }, Some(tls(protocols))).await;

        enqueue_in_a_child(&api.url, &[("SSL_CERT_FILE", CA), ("TEST_HTTP2", "yes")])
            .await
            .unwrap();

        assert!(
            api.connections() <= connections,
            "{protocols:?}: {}",
            api.connections()
        );
    }
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_an_error_and_nothing_is_sent() {
    let api = Counting::start(1, Some(tls(&[]))).await;
    // An authority with another key.
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/other-ca.pem");

    let error = enqueue_in_a_child(&api.url, &[("SSL_CERT_FILE", other)])
        .await
        .unwrap_err();

    assert!(error.contains("was not created"), "{error}");
    assert!(error.contains("invalid peer certificate"), "{error}");
}

#[tokio::test]
async fn a_handshake_of_tls_that_takes_too_long_means_that_nothing_was_created() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());

    let error = enqueue_in_a_child(&url, &[("SSL_CERT_FILE", CA)])
        .await
        .unwrap_err();

    assert!(error.contains("was not created"), "{error}");
    assert!(error.contains("no connection was made within"), "{error}");
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_used_unless_the_environment_excludes_the_server() {
    let proxy = willing_api().await;
    let named = "http://cloudtasks.test";

    enqueue_in_a_child(named, &[("HTTP_PROXY", &proxy.uri())])
        .await
        .unwrap();

    let through = requests(&proxy).await;
    assert_eq!(through.len(), 8);
    assert!(
        through
            .iter()
            .all(|request| request.headers["host"] == "cloudtasks.test"),
        "{through:?}"
    );

    let direct = willing_api().await;
    let vars = [("HTTP_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "127.0.0.1")];
    enqueue_in_a_child(&direct.uri(), &vars).await.unwrap();
    assert_eq!(requests(&direct).await.len(), 8);
}

#[tokio::test]
async fn the_universe_of_the_environment_must_be_that_of_the_credentials() {
    let api = willing_api().await;
    let vars = [
        NAMES[0],
        NAMES[1],
        NAMES[2],
        ("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "other.example"),
    ];

    let error = in_a_child(Some(&api), Credentials::Passed, &vars)
        .await
        .unwrap_err();

    assert!(
        error.contains("the Google Cloud Tasks client could not be built"),
        "{error}"
    );
    assert!(error.contains("other.example"), "{error}");
    assert!(requests(&api).await.is_empty());
}
