//! A client for the parts of the emulator's API that messages and schedules need.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::base::BoxError;
use crate::base::headers::HANDLED_BY;
use crate::base::http_client::{HttpClient, HttpError};
use crate::base::text::safe;

/// Calls the emulator from the engine's own tokio runtime, so that connections end with it and depend on no other
/// runtime.
///
/// Google's client is not used here: its connections belong to the runtime that first used them, which may be a test's.
pub(crate) struct Emulator {
    pub http: HttpClient,
    pub url: String,
    /// The account that signs tokens, and their audience.
    pub account: String,
    pub audience: String,
}

impl Emulator {
    /// Calls the service, and returns the status of its response within the deadline.
    pub async fn call(
        &self,
        request: Request<impl Into<Bytes>>,
        deadline: Duration,
    ) -> Result<StatusCode, HttpError> {
        let url = request.uri().to_string();
        let response = self.http.clone().timeout(deadline).head(request).await?;
        self.warn_of_strangers(&url, &response);
        Ok(response.status())
    }

    /// Warns if something else than this library has answered a request to the endpoint with a success, which ends the
    /// task or the message. Other URLs, such as a subscription's own, may be another program's.
    fn warn_of_strangers(&self, url: &str, response: &Response<()>) {
        let rest = url.strip_prefix(&self.audience);
        let is_endpoint = rest.is_some_and(|rest| rest.starts_with('/'));
        let status = response.status();
        if is_endpoint && status.is_success() && !response.headers().contains_key(HANDLED_BY) {
            tracing::warn!(
                url,
                %status,
                "the success is not from this library: nothing ran, and the queue drops the task. Add `runtime.layer()` \
                 last, around all routes and the fallback (a middleware that removes the header {HANDLED_BY} also causes this)"
            );
        }
    }

    /// Creates a queue with these settings. An existing queue is not changed.
    pub async fn create_queue(
        &self,
        location: &str,
        queue: &str,
        mut settings: Value,
    ) -> Result<(), BoxError> {
        settings["name"] = json!(format!("{location}/queues/{queue}"));
        match self.post(&format!("{location}/queues"), &settings).await? {
            StatusCode::CONFLICT | StatusCode::OK => Ok(()),
            status => Err(format!("the emulator answered {status}").into()),
        }
    }

    /// Creates a task that calls `url` with a signed token until the response is a success.
    pub async fn create_task(&self, queue: &str, url: &str, deadline: Duration) -> Result<(), BoxError> {
        let body = json!({
            "task": {
                "httpRequest": {
                    "url": url,
                    "httpMethod": "POST",
                    "oidcToken": {"serviceAccountEmail": self.account, "audience": self.audience},
                },
                "dispatchDeadline": seconds(deadline),
            },
        });
        match self.post(&format!("{queue}/tasks"), &body).await? {
            StatusCode::OK => Ok(()),
            status => Err(format!("the emulator answered {status}").into()),
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Result<StatusCode, BoxError> {
        let request = Request::post(format!("{}/v2/{path}", self.url))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_string())?;
        let response = self.http.send(request).await?;
        let status = response.status();
        if !status.is_success() {
            let text = String::from_utf8_lossy(response.body());
            tracing::debug!(%status, response = %safe(&text), path, "refused by the emulator");
        }
        Ok(status)
    }
}

/// Formats a duration for Google's JSON APIs.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64())
}
