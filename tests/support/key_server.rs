//! A server with the keys that good tokens are signed with.

use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::tokens;

/// Starts one whose keys may be kept for an hour.
pub(crate) async fn key_server() -> MockServer {
    let server = MockServer::start().await;
    let document = tokens::jwks([(tokens::KEY_ID, tokens::issuer_key())]);
    let answer = ResponseTemplate::new(200)
        .set_body_json(document)
        .insert_header("cache-control", "max-age=3600");
    Mock::given(path("/certs"))
        .respond_with(answer)
        .mount(&server)
        .await;
    server
}
