//! Calls of a set-up: repeated where that can help, and explained where it cannot.

use std::time::Duration;

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_gax::exponential_backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use google_cloud_gax::retry_policy::RetryPolicy;
use google_cloud_gax::retry_result::RetryResult;
use google_cloud_gax::retry_state::RetryState;

use crate::error::Error;

/// How long one call may take.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(30);
/// Somebody waits for the set-up: a service that is out of reach shows soon.
const ATTEMPTS: u32 = 5;

/// Repeats what may go well the next time; every call of a set-up may be repeated.
#[derive(Debug)]
pub(crate) struct Patience;

impl RetryPolicy for Patience {
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

/// What a call that changes something came to.
pub(crate) fn changed<T>(path: &str, sent: Result<T, GoogleError>) -> Result<(), Error> {
    sent.map(drop).map_err(|error| failed("changed", path, error))
}

/// What a call that deletes something came to: what is gone already is deleted.
pub(crate) fn deleted<T>(path: &str, sent: Result<T, GoogleError>) -> Result<(), Error> {
    match sent {
        Err(error) if !is(&error, Code::NotFound) => Err(failed("deleted", path, error)),
        _ => Ok(()),
    }
}

/// The error that the caller gets: which resource, why, and what helps.
pub(crate) fn failed(what: &str, path: &str, error: GoogleError) -> Error {
    let help = help(path, &error)
        .map(|help| format!("; {help}"))
        .unwrap_or_default();
    let message = format!("{path} was not {what}: {error}{help}");
    let refused = error.http_status_code().is_some_and(|code| code < 500);
    let result = if refused {
        Error::rejected(message)
    } else {
        Error::unavailable(message, true)
    };
    result.with_source(error)
}

fn help(path: &str, error: &GoogleError) -> Option<String> {
    let project = path.split('/').nth(1).unwrap_or("PROJECT");
    let queue = path.contains("/queues");
    let (api, role) = if queue {
        ("cloudtasks.googleapis.com", "roles/cloudtasks.queueAdmin")
    } else if path.contains("/jobs") {
        ("cloudscheduler.googleapis.com", "roles/cloudscheduler.admin")
    } else {
        ("pubsub.googleapis.com", "roles/pubsub.editor")
    };
    let text = error.to_string();
    match error.status().map(|status| status.code)? {
        Code::PermissionDenied if text.contains("has not been used") || text.contains("is disabled") => Some(format!(
            "the API is off: `gcloud services enable {api} --project {project}` turns it on"
        )),
        Code::PermissionDenied if text.to_lowercase().contains("iampolicy") => Some(format!(
            "the caller needs roles/pubsub.admin: `gcloud projects add-iam-policy-binding {project} \
             --member=serviceAccount:CALLER --role=roles/pubsub.admin`"
        )),
        Code::PermissionDenied => Some(format!(
            "the caller needs {role}: `gcloud projects add-iam-policy-binding {project} \
             --member=serviceAccount:CALLER --role={role}`"
        )),
        Code::Unauthenticated => Some("the credentials were not accepted: `gcloud auth application-default login`".to_owned()),
        Code::FailedPrecondition if queue => Some(
            "a queue of this name was deleted not long ago, and Cloud Tasks keeps the name blocked for up to 7 days: use \
             another name, or wait"
                .to_owned(),
        ),
        Code::NotFound => Some("is the project right, the region, and is what it belongs to there?".to_owned()),
        _ => None,
    }
}
