//! Calls that somebody waits for: repeated where that can help, and explained where it cannot.

use std::time::Duration;

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_gax::exponential_backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use google_cloud_gax::retry_policy::RetryPolicy;
use google_cloud_gax::retry_result::RetryResult;
use google_cloud_gax::retry_state::RetryState;

/// Somebody waits: a service that is out of reach shows soon.
const ATTEMPTS: u32 = 5;

/// Repeats what may go well the next time; for calls that may be repeated.
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

/// Pauses that somebody who waits puts up with.
pub(crate) fn backoff() -> ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_delay(Duration::from_millis(200))
        .with_maximum_delay(Duration::from_secs(5))
        .clamp()
}

pub(crate) fn is(error: &GoogleError, code: Code) -> bool {
    error.status().is_some_and(|status| status.code == code)
}

/// An API of Google's, and the emulator that may stand in its place.
#[derive(Clone, Copy)]
pub(crate) struct Api {
    /// What `gcloud services enable` takes.
    pub(crate) name: &'static str,
    /// Names the emulator.
    emulator: Option<&'static str>,
    /// The setter of another URL.
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
    /// What helps where the API was not reached, or is off, whatever was asked for.
    pub(crate) fn help(self, error: &GoogleError, project: &str) -> Option<String> {
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
                "the API is off: `gcloud services enable {name} --project {project}` turns it on"
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
        // The client follows redirects, so what shows is the page at their end.
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

/// Whether an API is not turned on in its project.
pub(crate) fn is_off(error: &GoogleError) -> bool {
    let text = error.to_string();
    is(error, Code::PermissionDenied)
        && ["has not been used", "is disabled", "SERVICE_DISABLED"]
            .iter()
            .any(|sign| text.contains(sign))
}

/// Whether no connection was made, as far as its causes tell.
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

/// What helps against an answer that concerns the caller, whatever was asked for.
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
