//! As whom calls are made: credentials from the code, and key files of service accounts.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cloud_tasks::backend::Google;
use cloud_tasks::{Config, Runtime};
use google_cloud_auth::credentials::{CacheableResource, CredentialsProvider, EntityTag, anonymous};
use google_cloud_auth::errors::CredentialsError;
use http::{Extensions, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::stage::{http_request, requests, runtime_with, the_only_request, tokens, willing_api};
use crate::support::api::{config, google, sent};
use crate::support::child;
use crate::tasks::welcome;

/// Credentials whose token is another one every time.
#[derive(Debug)]
pub(crate) struct Rotating {
    pub(crate) given: AtomicU32,
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

    assert_eq!(tokens(&api).await, ["Bearer token-1", "Bearer token-2"]);
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
        "credentials::enqueues_two_tasks_as_its_environment_says",
        &api,
        credentials == Credentials::Passed,
        vars,
    )
    .await
}

/// A location and an account, in the child's environment.
pub(crate) const LOCATION: (&str, &str) = ("CLOUD_TASKS_LOCATION", "europe-west1");
pub(crate) const ACCOUNT: (&str, &str) = (
    "CLOUD_TASKS_SERVICE_ACCOUNT",
    "tasks@of-the-settings.iam.gserviceaccount.com",
);

/// Asserts the project whose queue got the child's task, and the account that signs its attempts.
pub(crate) fn assert_sent_from(project: &str, account: &str, request: &Request) {
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
