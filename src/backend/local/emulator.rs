//! A client for the parts of the emulator's API that messages and schedules need.

use std::time::Duration;

use http::{Request, StatusCode, header};
use serde_json::{Value, json};

use crate::base::BoxError;
use crate::base::http_client::HttpClient;
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
            tracing::debug!(%status, answer = %safe(&text), path, "refused by the emulator");
        }
        Ok(status)
    }
}

/// Formats a duration for Google's JSON APIs.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64())
}
