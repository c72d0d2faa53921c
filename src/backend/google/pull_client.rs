//! A client for methods of Pub/Sub's REST API that Google's client lacks.

use std::time::Duration;

use bytes::Bytes;
use google_cloud_auth::credentials::CacheableResource;
use google_cloud_gax::error::{CredentialsError, Error as GoogleError, rpc::Status};
use http::{Extensions, HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::auth::connector;
use crate::backend::google::access::PubSubAccess;
use crate::backend::google::error::{Call, Operation};
use crate::base::Error;

const ENDPOINT: &str = "https://pubsub.googleapis.com";
/// The timeout of one call.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client of Pub/Sub's REST API.
pub(crate) struct PullClient {
    access: PubSubAccess,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl PullClient {
    pub fn new(access: &PubSubAccess) -> Result<Self, Error> {
        let https = access
            .endpoint
            .as_ref()
            .is_none_or(|url| url.starts_with("https:"));
        let connector = connector(https).map_err(|error| {
            Error::unavailable("Pub/Sub is unreachable: no root certificates were found", false)
                .with_source(error)
        })?;
        Ok(Self {
            access: access.clone(),
            client: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// `POST /v1/{path}:{verb}`. The error says what was not done, and what to do.
    pub async fn call<T: DeserializeOwned>(&self, path: &str, verb: &str, body: &Value) -> Result<T, Error> {
        let answer = tokio::time::timeout(TIMEOUT, self.send(path, verb, body))
            .await
            .unwrap_or_else(|elapsed| Err(GoogleError::timeout(elapsed)));
        answer
            .and_then(|body| serde_json::from_slice(&body).map_err(GoogleError::deser))
            .map_err(|error| Call::new(Operation::Pull, path, &format!("read ({verb})")).failed(error))
    }

    async fn send(&self, path: &str, verb: &str, body: &Value) -> Result<Bytes, GoogleError> {
        let endpoint = self.access.endpoint.as_deref().unwrap_or(ENDPOINT);
        let url = format!("{}/v1/{path}:{verb}", endpoint.trim_end_matches('/'));
        let mut request = Request::post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_string()))
            .map_err(GoogleError::ser)?;
        let credentials = self.credentials().await.map_err(GoogleError::authentication)?;
        request.headers_mut().extend(credentials);
        let (parts, body) = self
            .client
            .request(request)
            .await
            .map_err(|error| {
                if error.is_connect() {
                    GoogleError::connect(error)
                } else {
                    GoogleError::io(error)
                }
            })?
            .into_parts();
        let body = body.collect().await.map_err(GoogleError::io)?.to_bytes();
        if parts.status == StatusCode::OK {
            return Ok(body);
        }
        let code = parts.status.as_u16();
        Err(match Status::try_from(&body) {
            Ok(status) => GoogleError::service_with_http_metadata(status, Some(code), Some(parts.headers)),
            Err(_) => GoogleError::http(code, parts.headers, body),
        })
    }

    async fn credentials(&self) -> Result<HeaderMap, CredentialsError> {
        match self.access.credentials.headers(Extensions::new()).await? {
            CacheableResource::New { data, .. } => Ok(data),
            // Only sent to callers who say which version they have.
            CacheableResource::NotModified => Ok(HeaderMap::new()),
        }
    }
}
