//! The HTTP client of this library: one request and its response, within a time limit and a size limit.
//!
//! It uses no proxy of the environment and follows no redirect. Otherwise a request with a token could go to another
//! server, and signing keys could come from one.

mod connector;
mod error;
#[cfg(feature = "testing")]
mod server;
#[cfg(test)]
mod tests;

pub(crate) use connector::{Versions, plain_connector, tls_connector};
pub(crate) use error::HttpError;
#[cfg(feature = "testing")]
pub(crate) use server::Server;

#[cfg(any(feature = "local", test))]
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::base::error::BoxError;

/// The time limit of a request, unless it is set.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The size limit of a response, unless it is set.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// A client with a time limit and a size limit.
#[derive(Clone, Debug)]
pub(crate) struct HttpClient {
    transport: Transport,
    timeout: Duration,
    max_bytes: usize,
}

#[derive(Clone, Debug)]
enum Transport {
    /// Does not read the root certificates, which takes milliseconds and needs some.
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// What happens to connections between requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Connections {
    /// Each request opens one, since a connection belongs to the tokio runtime that opened it. That may be a test's,
    /// and end before the next request.
    Closed,
    /// They are kept for the next request. All requests come from one tokio runtime.
    Pooled,
}

impl HttpClient {
    /// A client for `http` URLs.
    pub fn plain(connections: Connections) -> Self {
        Self::new(Transport::Plain(builder(connections).build(plain_connector())))
    }

    /// A client for URLs like this one.
    pub fn for_url(url: &str, connections: Connections) -> Result<Self, HttpError> {
        let is_plain = url
            .get(..5)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"));
        if is_plain {
            return Ok(Self::plain(connections));
        }
        let client = builder(connections).build(tls_connector(plain_connector(), Versions::Http1)?);
        Ok(Self::new(Transport::Tls(client)))
    }

    fn new(transport: Transport) -> Self {
        Self {
            transport,
            timeout: TIMEOUT,
            max_bytes: MAX_BYTES,
        }
    }

    /// Sets the time limit, which covers the whole response with its body.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the largest body that is read.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sends a request, and reads the whole response.
    pub async fn send(&self, request: Request<impl Into<Bytes>>) -> Result<Response<Bytes>, HttpError> {
        self.within(self.timeout, async {
            let (parts, body) = self.start(request).await?.into_parts();
            let body = Limited::new(body, self.max_bytes).collect().await;
            let body = body.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    HttpError::TooLarge(self.max_bytes)
                } else {
                    HttpError::Body(error)
                }
            })?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        })
        .await
    }

    /// Sends a request, reads the response to its end, and keeps only its status.
    #[cfg(any(feature = "local", test))]
    pub async fn status(&self, request: Request<impl Into<Bytes>>) -> Result<http::StatusCode, HttpError> {
        Ok(self.head(request).await?.status())
    }

    /// Sends a request, reads the response to its end, and keeps only its head.
    #[cfg(any(feature = "local", test))]
    pub async fn head(&self, request: Request<impl Into<Bytes>>) -> Result<Response<()>, HttpError> {
        self.within(self.timeout, async {
            let (parts, body) = self.start(request).await?.into_parts();
            let mut body = pin!(body);
            while let Some(frame) = body.frame().await {
                frame.map_err(|error| HttpError::Body(error.into()))?;
            }
            Ok(Response::from_parts(parts, ()))
        })
        .await
    }

    async fn within<T>(
        &self,
        timeout: Duration,
        response: impl Future<Output = Result<T, HttpError>>,
    ) -> Result<T, HttpError> {
        tokio::time::timeout(timeout, response)
            .await
            .unwrap_or(Err(HttpError::TimedOut(timeout)))
    }

    async fn start(
        &self,
        request: Request<impl Into<Bytes>>,
    ) -> Result<Response<impl Body<Data = Bytes, Error = impl Into<BoxError>>>, HttpError> {
        let request = request.map(|body| Full::new(body.into()));
        let response = match &self.transport {
            Transport::Plain(client) => client.request(request),
            Transport::Tls(client) => client.request(request),
        };
        let response = response.await.map_err(HttpError::from_client)?;
        // A 304 is no redirect, and nothing here asks for one.
        if response.status().is_redirection() && response.headers().contains_key(header::LOCATION) {
            return Err(HttpError::redirect(&response));
        }
        Ok(response)
    }
}

fn builder(connections: Connections) -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    if connections == Connections::Closed {
        builder.pool_max_idle_per_host(0);
    }
    builder
}
