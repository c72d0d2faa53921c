//! A client that reads tasks from an emulator.
//!
//! Google's client sends the requested view as a number in the query. The service understands this, the emulator of the
//! local engine does not. Nothing else is read with this client.

use std::time::Duration;

use bytes::Bytes;
use google_cloud_gax::error::{Error as GoogleError, rpc::Status};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;

/// The API of an emulator over HTTP, without credentials.
pub(crate) struct EmulatorClient {
    http: Client<HttpConnector, Empty<Bytes>>,
    url: String,
    timeout: Duration,
}

impl EmulatorClient {
    pub fn new(url: &str, timeout: Duration) -> Self {
        Self {
            // A connection belongs to the tokio runtime that opened it, which may be a test's and end before the next
            // call.
            http: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build_http(),
            url: url.trim_end_matches('/').to_owned(),
            timeout,
        }
    }

    /// Gets the resource at a path, with the errors of Google's client.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, GoogleError> {
        let query = serde_urlencoded::to_string(query).map_err(GoogleError::ser)?;
        let request = Request::get(format!("{}/v2/{path}?{query}", self.url))
            .body(Empty::new())
            .map_err(GoogleError::ser)?;
        tokio::time::timeout(self.timeout, self.send(request))
            .await
            .unwrap_or_else(|elapsed| Err(GoogleError::timeout(elapsed)))
    }

    async fn send<T: DeserializeOwned>(&self, request: Request<Empty<Bytes>>) -> Result<T, GoogleError> {
        let answer = self.http.request(request).await.map_err(|error| {
            if error.is_connect() {
                GoogleError::connect(error)
            } else {
                GoogleError::io(error)
            }
        })?;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.map_err(GoogleError::io)?.to_bytes();
        if parts.status.is_success() {
            return serde_json::from_slice(&body).map_err(GoogleError::deser);
        }
        let code = parts.status.as_u16();
        Err(match Status::try_from(&body) {
            Ok(status) => GoogleError::service_with_http_metadata(status, Some(code), Some(parts.headers)),
            Err(_) => GoogleError::http(code, parts.headers, body),
        })
    }
}
