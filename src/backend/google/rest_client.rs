//! A client for methods of Google's REST APIs that Google's clients lack.
//!
//! These are single pulls, and reads from an emulator: Google's client sends the requested view of a task as a number in
//! the query, which the service understands and the emulator of the local engine does not.

use bytes::Bytes;
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use google_cloud_gax::error::{CredentialsError, Error as GoogleError};
use http::{Extensions, HeaderMap, Request, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::backend::google::error;
use crate::base::http_client::HttpClient;

/// A client of a REST API, with the errors of Google's clients.
pub(crate) struct RestClient {
    http: HttpClient,
    url: String,
    credentials: Credentials,
}

impl RestClient {
    /// A client of the API at this URL, which has the version as its path.
    pub fn new(http: HttpClient, url: &str, credentials: Credentials) -> Self {
        Self {
            http,
            url: url.to_owned(),
            credentials,
        }
    }

    /// `GET {url}/{path}?{query}`.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, GoogleError> {
        let query = serde_urlencoded::to_string(query).map_err(GoogleError::ser)?;
        let request = Request::get(format!("{}/{}?{query}", self.url, escaped(path))).body(Bytes::new());
        self.send(request).await
    }

    /// `POST {url}/{path}:{verb}`.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        verb: &str,
        body: &Value,
    ) -> Result<T, GoogleError> {
        let request = Request::post(format!("{}/{}:{verb}", self.url, escaped(path)))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_string().into());
        self.send(request).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: Result<Request<Bytes>, http::Error>,
    ) -> Result<T, GoogleError> {
        let mut request = request.map_err(GoogleError::ser)?;
        let headers = self.authorization().await.map_err(GoogleError::authentication)?;
        request.headers_mut().extend(headers);
        let response = self.http.send(request).await.map_err(error::of_http)?;
        serde_json::from_slice(&error::of_response(response)?).map_err(GoogleError::deser)
    }

    async fn authorization(&self) -> Result<HeaderMap, CredentialsError> {
        match self.credentials.headers(Extensions::new()).await? {
            CacheableResource::New { data, .. } => Ok(data),
            // Only sent to callers who say which version they have.
            CacheableResource::NotModified => Ok(HeaderMap::new()),
        }
    }
}

/// A path of names, in which only `%` means something else in a URL.
fn escaped(path: &str) -> String {
    path.replace('%', "%25")
}
