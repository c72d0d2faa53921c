//! The client that fetches key sets.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};

use crate::auth::jwks::{self, Key};
#[cfg(feature = "testing")]
use crate::base::http_client::Server;
use crate::base::http_client::{Connections, HttpClient};
use crate::base::text::error_chain;
use crate::base::{BoxError, without_user};

/// Google's document has about 2 KiB.
const MAX_BYTES: usize = 256 * 1024;

/// Where keys are fetched from.
pub(crate) struct Source {
    uri: Uri,
    http: HttpClient,
    /// The server of a simulation, which is called instead.
    #[cfg(feature = "testing")]
    server: Option<Server>,
    #[cfg(feature = "testing")]
    timeout: Duration,
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
        // A connection would be idle for hours between two fetches.
        let http = HttpClient::for_url(url, Connections::Closed)
            .map_err(|error| format!("the keys at {url} are unreachable: {}", error_chain(&error)))?;
        Ok(Self {
            uri,
            http: http.timeout(timeout).max_bytes(MAX_BYTES),
            #[cfg(feature = "testing")]
            server: None,
            #[cfg(feature = "testing")]
            timeout,
        })
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
            None => self.http.send(request).await?,
        };
        #[cfg(not(feature = "testing"))]
        let response = self.http.send(request).await?;
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
