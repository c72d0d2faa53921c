//! Conversion of envelopes to Google's messages.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use google_cloud_tasks_v2::model::{HttpMethod, HttpRequest, OidcToken, Task};
use google_cloud_wkt::{Duration as WktDuration, Timestamp};
use http::{HeaderMap, HeaderName};

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

    /// The message `google.cloud.tasks.v2.CreateTaskRequest.task`, for Google's client.
    pub fn task(&self, envelope: &Envelope, id: Option<&str>) -> Task {
        let headers = envelope.headers.keys();
        let headers = headers.map(|name| (name.as_str(), joined(&envelope.headers, name)));
        let relayed = self.relayed(envelope);
        let (account, audience) = self.signer(envelope);
        let token = OidcToken::new()
            .set_service_account_email(account)
            .set_audience(audience);
        let request = HttpRequest::new()
            .set_url(relayed.as_deref().unwrap_or(&envelope.url))
            .set_http_method(HttpMethod::Post)
            .set_headers(headers)
            .set_body(envelope.body.clone())
            .set_oidc_token(token);
        Task::new()
            .set_name(id.map_or_else(String::new, |id| {
                format!("{}/tasks/{id}", self.queue(&envelope.queue))
            }))
            .set_http_request(request)
            .set_or_clear_schedule_time(Self::schedule_time(envelope))
            .set_or_clear_dispatch_deadline(Self::dispatch_deadline(envelope))
    }

    /// The URL through the relay, if there is one.
    pub fn relayed(&self, envelope: &Envelope) -> Option<String> {
        // The longer URL must not make the largest task too large.
        let fits = envelope.body.len() <= MAX_RELAYED_BYTES;
        let relay = self.relay.as_deref().filter(|_| fits)?;
        relay_url::through(relay, &envelope.url)
    }

    /// The account that signs the request, and its audience: those of the service that runs the task.
    pub fn signer<'a>(&'a self, envelope: &'a Envelope) -> (&'a str, &'a str) {
        let service = envelope.service();
        let account = service.and_then(ServiceEndpoint::account);
        (
            account.unwrap_or(&self.service_account),
            service.map_or(&*self.audience, ServiceEndpoint::url),
        )
    }

    pub fn schedule_time(envelope: &Envelope) -> Option<Timestamp> {
        envelope.schedule_time.and_then(timestamp)
    }

    pub fn dispatch_deadline(envelope: &Envelope) -> Option<WktDuration> {
        envelope.timeout.and_then(duration)
    }
}

/// The value of a header. It has one in Google's message; several values become one list, as in RFC 9110 (5.3).
pub(super) fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Cow<'a, str> {
    // The values are known to be ASCII, or come from a request that was propagated.
    let values = headers.get_all(name).iter();
    let mut values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let first = values.next().unwrap_or_default();
    values.fold(first, |list, value| Cow::Owned(format!("{list}, {value}")))
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}

fn duration(duration: Duration) -> Option<WktDuration> {
    WktDuration::try_from(duration).ok()
}
