//! Tests of the verifier, with checks that can be disabled.

pub(crate) mod forgery;
pub(crate) mod keys;
pub(crate) mod seen;

#[path = "../../../tests/support/tokens.rs"]
mod tokens;

use std::time::Duration;

use http::HeaderValue;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::auth::TrustedCallers;
use crate::auth::access::Endpoint;
use crate::base::Config;
use tokens::{ACCOUNT, ISSUER, KEY_ID};

const ENDPOINT: &str = "https://shop.example";
const SECOND_AUDIENCE: &str = "https://shop-a1b2c3-ew.a.run.app";
const SECOND_ACCOUNT: &str = "scheduler@my-project.iam.gserviceaccount.com";
/// The route that is called, unless a test is about routes.
const NOTE: Called<'static> = Called {
    endpoint: Endpoint::Tasks,
    name: "Note",
    signed: true,
    own_url: None,
};
const LONG: Duration = Duration::from_secs(3600);

/// A server with the issuer's key, which may be cached for an hour.
async fn key_server() -> MockServer {
    let server = MockServer::start().await;
    serve_keys(&server, keys(&[KEY_ID], "max-age=3600")).await;
    server
}

fn keys(ids: &[&str], cache_control: &str) -> ResponseTemplate {
    let document = tokens::jwks(ids.iter().map(|id| (*id, tokens::issuer_key())));
    ResponseTemplate::new(200)
        .set_body_json(document)
        .insert_header("cache-control", cache_control)
}

/// Responds with this from now on.
async fn serve_keys(server: &MockServer, answer: ResponseTemplate) {
    server.reset().await;
    Mock::given(path("/certs"))
        .respond_with(answer)
        .mount(server)
        .await;
}

async fn fetches(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

/// Trusts two accounts and two audiences, with the keys of this server.
fn callers(server: &MockServer) -> TrustedCallers {
    let mut callers = TrustedCallers::new()
        .account(SECOND_ACCOUNT)
        .audience(SECOND_AUDIENCE)
        .min_refresh_interval(LONG);
    callers.keys_url = format!("{}/certs", server.uri());
    callers
}

fn verifier_of(callers: TrustedCallers) -> Verifier {
    let config = Config::default()
        .with_endpoint(ENDPOINT)
        .with_service_account(ACCOUNT);
    callers.verifier(&config, false).unwrap()
}

fn headers<'a>(values: impl IntoIterator<Item = &'a str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append("authorization", HeaderValue::from_str(value).unwrap());
    }
    headers
}

async fn verify(verifier: &Verifier, token: &str) -> Result<(), Refusal> {
    verifier
        .verify(&NOTE, &headers([&*format!("Bearer {token}")]))
        .await
}
