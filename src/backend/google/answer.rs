//! What an answer of Cloud Tasks means for the task that was to be created.

use google_cloud_gax::error::{CredentialsError, Error as GoogleError, rpc::Code};
use std::error::Error as _;

use crate::backend::google::message::Target;
use crate::error::{Error, ErrorKind};

/// What is known after a call that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Verdict {
    /// A task of that name is there, whoever made it.
    pub(crate) exists: bool,
    /// The call may have created the task.
    pub(crate) maybe_created: bool,
    /// The same call may succeed a little later.
    pub(crate) repeat: bool,
}

impl Verdict {
    const EXISTS: Self = Self {
        exists: true,
        maybe_created: true,
        repeat: false,
    };
    /// Refused, and it will be again.
    const REFUSED: Self = Self {
        exists: false,
        maybe_created: false,
        repeat: false,
    };
    /// Nothing was created this time.
    const NOT_YET: Self = Self {
        exists: false,
        maybe_created: false,
        repeat: true,
    };
    /// Nobody knows.
    const UNKNOWN: Self = Self {
        exists: false,
        maybe_created: true,
        repeat: true,
    };

    pub(crate) fn of(error: &GoogleError) -> Self {
        if error.is_authentication() {
            let transient = error
                .source()
                .and_then(|source| source.downcast_ref::<CredentialsError>())
                .is_some_and(CredentialsError::is_transient);
            return if transient { Self::NOT_YET } else { Self::REFUSED };
        }
        if error.is_connect() || error.is_transient_and_before_rpc() {
            return Self::NOT_YET;
        }
        if error.is_binding() || error.is_serialization() {
            return Self::REFUSED;
        }
        if error.is_deserialization() {
            return Self {
                repeat: false,
                ..Self::UNKNOWN
            };
        }
        match (error.status().map(|status| status.code), error.http_status_code()) {
            (Some(Code::AlreadyExists), _) => Self::EXISTS,
            (Some(Code::ResourceExhausted | Code::Aborted), _) | (None, Some(429)) => Self::NOT_YET,
            (
                Some(
                    Code::Unavailable
                    | Code::Internal
                    | Code::DeadlineExceeded
                    | Code::Unknown
                    | Code::Cancelled,
                ),
                _,
            )
            | (None, Some(408 | 500..=599) | None) => Self::UNKNOWN,
            (Some(_), _) | (None, Some(_)) => Self::REFUSED,
        }
    }
}

/// The error that the caller gets.
pub(crate) fn error(
    task: &str,
    queue: &str,
    target: &Target,
    cause: GoogleError,
    maybe_created: bool,
) -> Error {
    let verdict = Verdict::of(&cause);
    let kind = if maybe_created || verdict.repeat {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Rejected
    };
    let what = if maybe_created {
        "may have been created, but no answer says so"
    } else {
        "was not created"
    };
    let help = help(&cause, queue, target)
        .map(|help| format!("; {help}"))
        .unwrap_or_default();
    Error::new(
        kind,
        format!("task {task} {what} in queue {queue}: {cause}{help}"),
    )
    .maybe_created(maybe_created)
    .with_source(cause)
}

/// What fixes an answer that is the same every time.
fn help(cause: &GoogleError, queue: &str, target: &Target) -> Option<String> {
    let path = target.queue(queue);
    match cause.status()?.code {
        Code::NotFound => Some(format!(
            "is there a queue {path}? `Runtime::setup` makes it, and so does `gcloud tasks queues create {path}`"
        )),
        Code::FailedPrecondition => Some(format!(
            "the name of a queue that was deleted stays blocked for up to 7 days; is {path} such a one?"
        )),
        Code::PermissionDenied => Some(format!(
            "the caller needs roles/cloudtasks.enqueuer on {path}, and roles/iam.serviceAccountUser on {}",
            target.service_account()
        )),
        Code::Unauthenticated => Some("the credentials were not accepted".to_owned()),
        _ => None,
    }
}
