//! Conversion of envelopes to Google's messages.

use std::time::{Duration, SystemTime};

use google_cloud_tasks_v2::model::{HttpMethod, HttpRequest, OidcToken, Task};
use google_cloud_wkt::{Duration as WktDuration, Timestamp};

use crate::backend::relay_url;
use crate::base::{Config, Envelope, Invalid, ServiceEndpoint};

/// The largest body of a task that is called through a relay; 1 MiB minus all that else is in a task.
const MAX_RELAYED_BYTES: usize = 1_000_000;

/// Builds tasks with the queue's location and the signing account.
#[derive(Debug)]
pub(crate) struct TaskFactory {
    project: String,
    location: String,
    service_account: String,
    audience: String,
    /// The base URL of the local engine's relay.
    relay: Option<String>,
}

impl TaskFactory {
    /// Reads the target from the settings, or returns every missing setting.
    pub fn new(config: &Config) -> Result<Self, Vec<Invalid>> {
        let mut missing = Vec::new();
        let mut get = |value: Option<&str>, what: &str| {
            value.map_or_else(
                || {
                    missing.push(Invalid::because(what));
                    String::new()
                },
                str::to_owned,
            )
        };
        let project = get(
            config.project(),
            "the Google Cloud project is unknown: set CLOUD_TASKS_PROJECT or GOOGLE_CLOUD_PROJECT",
        );
        let location = get(
            config.location(),
            "the region of Cloud Tasks is unknown: set CLOUD_TASKS_LOCATION, such as europe-west1",
        );
        let service_account = get(
            config.service_account(),
            "the account that tasks are signed as is not known, and the credentials do not tell it: \
             set CLOUD_TASKS_SERVICE_ACCOUNT to the e-mail of a service account (credentials from code always need it)",
        );
        if missing.is_empty() {
            Ok(Self {
                location: format!("projects/{project}/locations/{location}"),
                project,
                service_account,
                audience: config.base_url().to_owned(),
                relay: None,
            })
        } else {
            Err(missing)
        }
    }

    /// Makes tasks that call their URL through the relay at this base URL.
    #[cfg(feature = "local")]
    pub fn set_relay(&mut self, relay: String) {
        self.relay = Some(relay);
    }

    pub fn queue(&self, queue: &str) -> String {
        format!("{}/queues/{queue}", self.location)
    }

    pub fn project(&self) -> &str {
        &self.project
    }

    pub fn location(&self) -> &str {
        &self.location
    }

    pub fn service_account(&self) -> &str {
        &self.service_account
    }

    /// The message `google.cloud.tasks.v2.CreateTaskRequest.task`.
    pub fn task(&self, envelope: &Envelope, id: Option<&str>) -> Task {
        // A header has one value in Google's message; several values become one list, as in RFC 9110 (5.3).
        let headers = envelope.headers.keys().map(|name| {
            // The values are known to be ASCII, or come from a request that was propagated.
            let values: Vec<_> = envelope
                .headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            (name.as_str(), values.join(", "))
        });
        // The longer URL must not make the largest task too large.
        let relay = self
            .relay
            .as_deref()
            .filter(|_| envelope.body.len() <= MAX_RELAYED_BYTES);
        let relayed = relay.and_then(|relay| relay_url::through(relay, &envelope.url));
        let request = HttpRequest::new()
            .set_url(relayed.as_deref().unwrap_or(&envelope.url))
            .set_http_method(HttpMethod::Post)
            .set_headers(headers)
            .set_body(envelope.body.clone())
            .set_oidc_token(self.token(envelope));
        Task::new()
            .set_name(id.map_or_else(String::new, |id| {
                format!("{}/tasks/{id}", self.queue(&envelope.queue))
            }))
            .set_http_request(request)
            .set_or_clear_schedule_time(envelope.schedule_time.and_then(timestamp))
            .set_or_clear_dispatch_deadline(envelope.timeout.and_then(duration))
    }
}

impl TaskFactory {
    /// The token of the service that runs the task: its own audience, and the account that it trusts.
    fn token(&self, envelope: &Envelope) -> OidcToken {
        let service = envelope.service();
        let account = service.and_then(ServiceEndpoint::account);
        OidcToken::new()
            .set_service_account_email(account.unwrap_or(&self.service_account))
            .set_audience(service.map_or(&*self.audience, ServiceEndpoint::url))
    }
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}

fn duration(duration: Duration) -> Option<WktDuration> {
    WktDuration::try_from(duration).ok()
}
