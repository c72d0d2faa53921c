//! The client that fetches key sets.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use crate::auth::jwks::{self, Key};
use crate::base::BoxError;

/// Google's document has about 2 KiB.
const MAX_BYTES: usize = 256 * 1024;

/// Where keys are fetched from.
pub(crate) struct Source {
    uri: Uri,
    timeout: Duration,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Source {
    /// A source at this URL; `timeout` covers the whole response, including its body.
    pub fn new(url: &str, timeout: Duration) -> Result<Self, String> {
        let accepted = "expected an http or https URL, such as https://www.googleapis.com/oauth2/v3/certs";
        let uri: Uri = url
            .parse()
            .map_err(|error| format!("the URL of the keys {url:?} does not parse ({error}): {accepted}"))?;
        let connector = match uri.scheme_str() {
            Some("https") => connector(true).map_err(|error| {
                format!("the keys at {url} are unreachable: no root certificates were found ({error})")
            })?,
            Some("http") => connector(false).map_err(|error| error.to_string())?,
            _ => return Err(format!("the URL of the keys {url:?} is not accepted: {accepted}")),
        };
        Ok(Self {
            uri,
            timeout,
            // A connection would be idle for hours between two fetches.
            client: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build(connector),
        })
    }

    /// Fetches the keys, and how long they may be cached.
    pub async fn fetch(&self) -> Result<(HashMap<String, Key>, Duration), BoxError> {
        tokio::time::timeout(self.timeout, self.get())
            .await
            .map_err(|_| format!("no response within {:?}", self.timeout))?
    }

    async fn get(&self) -> Result<(HashMap<String, Key>, Duration), BoxError> {
        let request = Request::get(&self.uri).body(Empty::new())?;
        let (parts, body) = self.client.request(request).await?.into_parts();
        if parts.status != StatusCode::OK {
            return Err(format!("the answer is {}", parts.status).into());
        }
        let body = Limited::new(body, MAX_BYTES).collect().await?.to_bytes();
        Ok((jwks::parse(&body)?, jwks::max_age(&parts.headers)))
    }
}

/// The connector for https URLs, or for the plain http URL of an emulator.
pub(crate) fn connector(https: bool) -> Result<HttpsConnector<HttpConnector>, BoxError> {
    let builder = HttpsConnectorBuilder::new();
    let builder = if https {
        builder.with_provider_and_native_roots(aws_lc_rs::default_provider())?
    } else {
        builder.with_tls_config(no_tls()?)
    };
    Ok(builder.https_or_http().enable_http1().build())
}

fn no_tls() -> Result<ClientConfig, rustls::Error> {
    Ok(
        ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth(),
    )
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uri, f)
    }
}
