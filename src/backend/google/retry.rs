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

/// What helps against an answer that concerns the caller, whatever was asked for.
pub(crate) fn caller_help(error: &GoogleError, project: &str, api: &str, role: &str) -> Option<String> {
    let text = error.to_string();
    match error.status().map(|status| status.code)? {
        Code::PermissionDenied if text.contains("has not been used") || text.contains("is disabled") => Some(
            format!("the API is off: `gcloud services enable {api} --project {project}` turns it on"),
        ),
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
