//! The client that fetches key sets.

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};

use crate::auth::jwks::{self, Key};
#[cfg(feature = "testing")]
use crate::base::http_client::Server;
use crate::base::http_client::{Connections, HttpClient, HttpError};
use crate::base::{BoxError, without_user};

/// Google's document has about 2 KiB.
const MAX_BYTES: usize = 256 * 1024;

/// Where keys are fetched from.
pub(crate) struct Source {
    uri: Uri,
    timeout: Duration,
    /// Made for the first fetch: it reads the root certificates, and many a runtime fetches no keys.
    http: OnceLock<HttpClient>,
    /// The server of a simulation, which is called instead.
    #[cfg(feature = "testing")]
    server: Option<Server>,
}

impl Source {
    /// A source at this URL; `timeout` covers the whole response, including its body.
    pub fn new(url: &str, timeout: Duration) -> Result<Self, String> {
        let accepted = "expected an http or https URL without user and password, such as https://www.googleapis.com/oauth2/v3/certs";
        let shown = without_user(url);
        let uri: Uri = url
            .parse()
            .map_err(|error| format!("the URL of the keys {shown:?} does not parse ({error}): {accepted}"))?;
        let has_user = uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'));
        if !matches!(uri.scheme_str(), Some("https" | "http")) || has_user {
            return Err(format!(
                "the URL of the keys {shown:?} is not accepted: {accepted}"
            ));
        }
        Ok(Self {
            uri,
            timeout,
            http: OnceLock::new(),
            #[cfg(feature = "testing")]
            server: None,
        })
    }

    fn http(&self) -> Result<&HttpClient, HttpError> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        // A connection would be idle for hours between two fetches.
        let http = HttpClient::for_url(&self.uri.to_string(), Connections::Closed)?;
        let http = http.timeout(self.timeout).max_bytes(MAX_BYTES);
        Ok(self.http.get_or_init(|| http))
    }

    /// Fetches the keys from this server of a simulation.
    #[cfg(feature = "testing")]
    pub fn with_server(mut self, server: Option<Server>) -> Self {
        self.server = server;
        self
    }

    /// Fetches the keys, and how long they may be cached.
    pub async fn fetch(&self) -> Result<(HashMap<String, Key>, Duration), BoxError> {
        let request = Request::get(&self.uri).body(Bytes::new())?;
        #[cfg(feature = "testing")]
        let response = match &self.server {
            Some(server) => server.call(request, self.timeout).await?,
            None => self.http()?.send(request).await?,
        };
        #[cfg(not(feature = "testing"))]
        let response = self.http()?.send(request).await?;
        if response.status() != StatusCode::OK {
            return Err(format!("the answer is {}", response.status()).into());
        }
        Ok((jwks::parse(response.body())?, jwks::max_age(response.headers())))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uri, f)
    }
}
