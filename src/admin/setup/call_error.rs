//! Calls of a set-up, with explained errors.

use std::time::Duration;

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};

use crate::backend::google::{CLOUD_TASKS, PUBSUB, SCHEDULER, caller_help, is};
use crate::base::Error;

/// The timeout of one call.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(30);

/// What was not done to a policy, for [`failed`].
pub(super) const POLICY_READ: &str = "read (its IAM policy, getIamPolicy)";
pub(super) const POLICY_CHANGED: &str = "changed (its IAM policy, setIamPolicy)";

/// The outcome of a call that changes something.
pub(crate) fn changed<T>(path: &str, sent: Result<T, GoogleError>) -> Result<(), Error> {
    sent.map(drop).map_err(|error| failed("changed", path, error))
}

/// The outcome of a call that deletes something. A missing resource counts as deleted.
pub(crate) fn deleted<T>(path: &str, sent: Result<T, GoogleError>) -> Result<(), Error> {
    match sent {
        Err(error) if !is(&error, Code::NotFound) => Err(failed("deleted", path, error)),
        _ => Ok(()),
    }
}

/// The error of a resource that exists, although the plan was to create it, and is not in the desired state.
pub(super) fn made_by_somebody_else(path: &str) -> Error {
    Error::rejected(format!(
        "{path} was created by somebody else in the meantime, and differs: plan again"
    ))
}

/// The error for the caller: the resource, the reason, and what to do.
pub(crate) fn failed(what: &str, path: &str, error: GoogleError) -> Error {
    let help = help(what, path, &error)
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

fn help(what: &str, path: &str, error: &GoogleError) -> Option<String> {
    let project = path.split('/').nth(1).unwrap_or("PROJECT");
    let queue = path.contains("/queues");
    let (api, role) = if queue {
        (CLOUD_TASKS, "roles/cloudtasks.queueAdmin")
    } else if path.contains("/jobs") {
        (SCHEDULER, "roles/cloudscheduler.admin")
    } else {
        (PUBSUB, "roles/pubsub.editor")
    };
    let is_policy = [POLICY_READ, POLICY_CHANGED].contains(&what);
    let role = if is_policy { "roles/pubsub.admin" } else { role };
    if is_policy && is_missing_agent(error) {
        return Some(format!(
            "`gcloud beta services identity create --service={} --project={project}` creates it",
            PUBSUB.name
        ));
    }
    match error.status().map(|status| status.code) {
        Some(Code::FailedPrecondition) if queue => Some(
            "a queue of this name was deleted recently, and Cloud Tasks blocks the name for up to 7 days: use another name, or wait"
                .to_owned(),
        ),
        Some(Code::NotFound) => Some("check the project, the region, and that the parent resource exists".to_owned()),
        _ => caller_help(error, project, api, role),
    }
}

/// Whether Pub/Sub's own account does not exist: Google creates it when a project first needs it.
fn is_missing_agent(error: &GoogleError) -> bool {
    let text = error.to_string();
    text.contains("@gcp-sa-pubsub.iam.gserviceaccount.com") && text.contains("does not exist")
}
