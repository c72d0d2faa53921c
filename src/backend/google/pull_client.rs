//! A client for methods of Pub/Sub's REST API that Google's client lacks.

use std::time::Duration;

use bytes::Bytes;
use google_cloud_auth::credentials::CacheableResource;
use http::{Extensions, HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::auth::connector;
use crate::backend::google::access::PubSubAccess;
use crate::base::{BoxError, Error};

const ENDPOINT: &str = "https://pubsub.googleapis.com";
/// The timeout of one call.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client of Pub/Sub's REST API.
pub(crate) struct PullClient {
    access: PubSubAccess,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// An error in the format of Google's APIs.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    error: Reason,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reason {
    message: String,
    status: String,
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
        let failed = |error: BoxError| {
            Error::unavailable(format!("{path} was not read ({verb}): {error}"), false).with_source(error)
        };
        let answer = tokio::time::timeout(TIMEOUT, self.send(path, verb, body))
            .await
            .unwrap_or_else(|_| Err(format!("no response within {TIMEOUT:?}").into()));
        let (status, body) = answer.map_err(failed)?;
        if status != StatusCode::OK {
            return Err(refused(path, verb, status, &body));
        }
        serde_json::from_slice(&body).map_err(|error| failed(error.into()))
    }

    async fn send(&self, path: &str, verb: &str, body: &Value) -> Result<(StatusCode, Bytes), BoxError> {
        let endpoint = self.access.endpoint.as_deref().unwrap_or(ENDPOINT);
        let url = format!("{}/v1/{path}:{verb}", endpoint.trim_end_matches('/'));
        let mut request = Request::post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_string()))?;
        request.headers_mut().extend(self.credentials().await?);
        let (parts, body) = self.client.request(request).await?.into_parts();
        Ok((parts.status, body.collect().await?.to_bytes()))
    }

    async fn credentials(&self) -> Result<HeaderMap, BoxError> {
        match self.access.credentials.headers(Extensions::new()).await? {
            CacheableResource::New { data, .. } => Ok(data),
            // Only sent to callers who say which version they have.
            CacheableResource::NotModified => Ok(HeaderMap::new()),
        }
    }
}

fn refused(path: &str, verb: &str, status: StatusCode, body: &[u8]) -> Error {
    let Refusal { error } = serde_json::from_slice(body).unwrap_or_default();
    let help = match &*error.status {
        "NOT_FOUND" => {
            "; check that the subscription exists; `Runtime::setup` creates it and the topic, and earlier records are lost"
        }
        "PERMISSION_DENIED" => "; the caller needs roles/pubsub.subscriber on it",
        "UNAUTHENTICATED" => "; the credentials were not accepted",
        _ => "",
    };
    let message = format!("{path} was not read ({verb}): {status}, {}{help}", error.message);
    if status.is_client_error() {
        Error::rejected(message)
    } else {
        Error::unavailable(message, false)
    }
}
