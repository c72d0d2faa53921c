//! Retries and error help for interactive calls.

use std::time::Duration;

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_gax::exponential_backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use google_cloud_gax::retry_policy::RetryPolicy;
use google_cloud_gax::retry_result::RetryResult;
use google_cloud_gax::retry_state::RetryState;

/// Somebody waits: report an unreachable service soon.
const ATTEMPTS: u32 = 5;

/// Retries transient errors; for repeatable calls.
#[derive(Debug)]
pub(crate) struct RetryUnavailable;

impl RetryPolicy for RetryUnavailable {
    fn on_error(&self, state: &RetryState, error: GoogleError) -> RetryResult {
        if state.attempt_count >= ATTEMPTS {
            return RetryResult::Exhausted(error);
        }
        if passing(&error) {
            RetryResult::Continue(error)
        } else {
            RetryResult::Permanent(error)
        }
    }
}

fn passing(error: &GoogleError) -> bool {
    let code = error.status().map(|status| status.code);
    let status = error.http_status_code();
    error.is_transient_and_before_rpc()
        || error.is_io()
        || error.is_timeout()
        || matches!(
            code,
            Some(Code::Unavailable | Code::ResourceExhausted | Code::Internal)
        )
        || matches!(status, Some(429 | 500 | 502..=504))
}

/// A backoff that is acceptable if somebody waits.
pub(crate) fn backoff() -> ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_delay(Duration::from_millis(200))
        .with_maximum_delay(Duration::from_secs(5))
        .clamp()
}

pub(crate) fn is(error: &GoogleError, code: Code) -> bool {
    error.status().is_some_and(|status| status.code == code)
}

/// A Google API, and the emulator that can replace it.
#[derive(Clone, Copy)]
pub(crate) struct Api {
    /// Its name for `gcloud services enable`.
    pub name: &'static str,
    /// The variable that names the emulator.
    emulator: Option<&'static str>,
    /// The setter that overrides the URL.
    setter: &'static str,
}

pub(crate) const CLOUD_TASKS: Api = Api {
    name: "cloudtasks.googleapis.com",
    emulator: Some("CLOUD_TASKS_EMULATOR_HOST"),
    setter: "Google::api_endpoint",
};
pub(crate) const PUBSUB: Api = Api {
    name: "pubsub.googleapis.com",
    emulator: Some("PUBSUB_EMULATOR_HOST"),
    setter: "Google::pubsub_endpoint",
};
pub(crate) const SCHEDULER: Api = Api {
    name: "cloudscheduler.googleapis.com",
    emulator: None,
    setter: "Google::scheduler_endpoint",
};

impl Api {
    /// The remedy if the API was not reached or is disabled, whatever the call.
    pub fn help(self, error: &GoogleError, project: &str) -> Option<String> {
        let Self {
            name,
            emulator,
            setter,
        } = self;
        let emulator = emulator
            .map(|variable| format!("{variable}, "))
            .unwrap_or_default();
        if is_off(error) {
            return Some(format!(
                "the API is disabled: enable it with `gcloud services enable {name} --project {project}`"
            ));
        }
        if error.is_connect() || is_refused(error) {
            return Some(match self.emulator {
                Some(variable) => format!(
                    "nothing answers there: where {variable} is set, start its emulator or unset the variable; otherwise \
                     look at {setter}, HTTPS_PROXY and the network"
                ),
                None => format!("nothing answers there: look at {setter}, HTTPS_PROXY and the network"),
            });
        }
        // The client follows redirects, so this is the page at their end.
        let is_page = error.http_status_code().is_some_and(|status| status < 500) && error.status().is_none();
        let is_redirect = error
            .http_status_code()
            .is_some_and(|status| (300..400).contains(&status));
        (is_page || is_redirect || error.is_deserialization()).then(|| {
            format!(
                "this is not the API itself, but a redirect or a proxy: look at {emulator}{setter} and HTTPS_PROXY, which may \
                 name another server"
            )
        })
    }
}

/// Whether an API is disabled in its project.
fn is_off(error: &GoogleError) -> bool {
    let text = error.to_string();
    is(error, Code::PermissionDenied)
        && ["has not been used", "is disabled", "SERVICE_DISABLED"]
            .iter()
            .any(|sign| text.contains(sign))
}

/// Whether the connection was refused, according to the error's causes.
fn is_refused(error: &GoogleError) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The remedy for an error that concerns the caller, whatever the call.
pub(crate) fn caller_help(error: &GoogleError, project: &str, api: Api, role: &str) -> Option<String> {
    if let Some(help) = api.help(error, project) {
        return Some(help);
    }
    match error.status().map(|status| status.code)? {
        Code::PermissionDenied => Some(format!(
            "the caller needs {role}: `gcloud projects add-iam-policy-binding {project} \
             --member=serviceAccount:CALLER --role={role}`"
        )),
        Code::Unauthenticated => {
            Some("the credentials were not accepted: `gcloud auth application-default login`".to_owned())
        }
        _ => None,
    }
}
