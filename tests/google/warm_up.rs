//! What is fetched while a runtime is built.

use cloud_tasks::backend::Google;
use cloud_tasks::service::TrustedCallers;
use cloud_tasks::{Config, Runtime};
use serde_json::Value;
use tokio::net::TcpListener;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::credentials::{KeyFile, token_server};
use crate::stage::requests;
use crate::support::child;
use crate::support::key_server::key_server;
use crate::support::wait::within;
use crate::transport::CA;

const KEYS: &str = "TEST_KEYS";
const ONLY_ENQUEUES: &str = "TEST_ONLY_ENQUEUES";

/// The child's part of the tests below: builds a runtime as its environment says, and calls nothing.
#[tokio::test]
#[ignore = "part of other tests, which run it in a process of its own"]
async fn builds_a_runtime() {
    let Some(api) = child::api() else { return };
    let mut google = Google::new();
    if !api.is_empty() {
        google = google.api_endpoint(api);
    }
    let callers = TrustedCallers::new().issuer("https://issuer.example", std::env::var(KEYS).unwrap());
    let mut builder = Runtime::builder()
        .config(Config::from_env().unwrap())
        .google(google)
        .callers(callers);
    if std::env::var_os(ONLY_ENQUEUES).is_some() {
        builder = builder.enqueue_only();
    }
    let built = builder.build().await;
    child::tell(&built.map(|_| Vec::new()));
}

/// Builds a runtime in a process of its own, with the key of a file whose tokens come from `token_uri`.
async fn build(
    name: &str,
    api: &str,
    token_uri: &str,
    keys: &str,
    vars: &[(&str, &str)],
) -> Result<Value, String> {
    let file = KeyFile::write(name, token_uri);
    let mut all = vec![
        ("GOOGLE_APPLICATION_CREDENTIALS", file.path()),
        ("CLOUD_TASKS_LOCATION", "europe-west1"),
        ("CLOUD_TASKS_ENDPOINT", "https://shop.example"),
        ("SSL_CERT_FILE", CA),
        (KEYS, keys),
    ];
    all.extend(vars);
    within(child::run("warm_up::builds_a_runtime", api, false, &all)).await
}

/// Is not called: only the URL counts.
const OVER_TLS: &str = "https://127.0.0.1:1";

#[tokio::test]
async fn the_first_token_and_the_keys_of_callers_are_fetched_while_a_runtime_is_built() {
    for (name, vars, fetched_keys) in [
        ("warm", &[][..], 1),
        ("warm-enqueue-only", &[(ONLY_ENQUEUES, "yes")], 0),
    ] {
        let (oauth, keys) = (token_server("warm").await, key_server().await);
        let (token_uri, certs) = (format!("{}/token", oauth.uri()), format!("{}/certs", keys.uri()));

        build(name, OVER_TLS, &token_uri, &certs, vars).await.unwrap();

        assert_eq!(requests(&oauth).await.len(), 1, "{name}");
        assert_eq!(requests(&keys).await.len(), fetched_keys, "{name}");
    }
}

#[tokio::test]
async fn a_runtime_that_does_not_call_google_fetches_nothing_while_it_is_built() {
    for (name, api, vars) in [
        ("cold-plain", "http://127.0.0.1:1", &[][..]),
        (
            "cold-emulator",
            "",
            &[("CLOUD_TASKS_EMULATOR_HOST", "127.0.0.1:1")],
        ),
        ("cold-eager", "", &[("CLOUD_TASKS_MODE", "eager")]),
        ("cold-local", "", &[("CLOUD_TASKS_MODE", "local")]),
    ] {
        let (oauth, keys) = (token_server("cold").await, key_server().await);
        let (token_uri, certs) = (format!("{}/token", oauth.uri()), format!("{}/certs", keys.uri()));

        build(name, api, &token_uri, &certs, vars).await.unwrap();

        assert!(requests(&oauth).await.is_empty(), "{name}");
        assert!(requests(&keys).await.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_runtime_that_calls_nobody_over_tls_reads_no_root_certificates() {
    let keys = "https://127.0.0.1:1/certs";
    let nowhere = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/no-such-file");
    let without = [("SSL_CERT_FILE", nowhere), ("SSL_CERT_DIR", nowhere)];

    for (name, var) in [
        ("rootless-emulator", ("CLOUD_TASKS_EMULATOR_HOST", "127.0.0.1:1")),
        ("rootless-eager", ("CLOUD_TASKS_MODE", "eager")),
        ("rootless-local", ("CLOUD_TASKS_MODE", "local")),
    ] {
        let vars = [without[0], without[1], var];
        let built = build(name, "", OVER_TLS, keys, &vars).await;
        assert!(built.is_ok(), "{name}: {built:?}");
    }

    let error = build("rootless-google", OVER_TLS, OVER_TLS, keys, &without).await;
    assert!(error.clone().unwrap_err().contains("certificate"), "{error:?}");
}

#[tokio::test]
async fn servers_that_fail_or_say_nothing_do_not_fail_a_build() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_url = format!("http://{}/", silent.local_addr().unwrap());
    let failing = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(503))
        .mount(&failing)
        .await;

    for (name, url) in [("silent", silent_url.as_str()), ("failing", &failing.uri())] {
        build(name, OVER_TLS, url, url, &[]).await.unwrap();
    }
}
