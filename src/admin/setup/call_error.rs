//! Calls of a set-up, with explained errors.

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};

use crate::backend::google::{Call, Operation, is};
use crate::base::Error;

const READ: &str = "read";
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

/// The error for the caller. `what` is what was to be done: made, changed, deleted, [read](not_read), or done to a policy.
pub(crate) fn failed(what: &str, path: &str, error: GoogleError) -> Error {
    let operation = match what {
        POLICY_READ => Operation::ReadPolicy,
        POLICY_CHANGED => Operation::ChangePolicy,
        READ => Operation::ReadResource,
        _ => Operation::ChangeResource,
    };
    Call::new(operation, path, what).failed(error)
}

/// The error of a resource or a list that was not read.
pub(crate) fn not_read(path: &str, error: GoogleError) -> Error {
    failed(READ, path, error)
}
