//! Classification of Cloud Tasks' errors for a task that was to be created.

use google_cloud_gax::error::{CredentialsError, Error as GoogleError, rpc::Code};
use std::error::Error as _;

use crate::backend::google::convert::TaskFactory;
use crate::backend::google::retry::{CLOUD_TASKS, is};
use crate::base::{Error, ErrorKind};

/// What is known after a failed call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CreateOutcome {
    /// A task with that name exists, whoever created it.
    pub exists: bool,
    /// The call may have created the task.
    pub may_have_taken_effect: bool,
    /// Whether a retry may succeed.
    pub repeat: bool,
}

impl CreateOutcome {
    const EXISTS: Self = Self {
        exists: true,
        may_have_taken_effect: true,
        repeat: false,
    };
    /// Rejected, and a retry will be rejected as well.
    const REFUSED: Self = Self {
        exists: false,
        may_have_taken_effect: false,
        repeat: false,
    };
    /// Nothing was created, but a retry may succeed.
    pub const NOT_YET: Self = Self {
        exists: false,
        may_have_taken_effect: false,
        repeat: true,
    };
    /// The outcome is unknown.
    const UNKNOWN: Self = Self {
        exists: false,
        may_have_taken_effect: true,
        repeat: true,
    };

    pub fn of(error: &GoogleError) -> Self {
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
        if error
            .http_status_code()
            .is_some_and(|status| (300..400).contains(&status))
        {
            return Self::REFUSED;
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

/// A create that failed, with all its retries.
#[derive(Debug)]
pub(crate) struct Failed {
    pub cause: GoogleError,
    /// Whether one of the calls may have created the task.
    pub may_have_taken_effect: bool,
}

/// Why a queue accepts no tasks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum MissingQueue {
    /// It was deleted recently, and its name is blocked.
    Blocked,
    /// It does not exist.
    Missing,
}

impl Failed {
    /// The state of the queue, if that is the reason, and if the queue certainly does not hold the task.
    pub fn missing_queue(&self) -> Option<MissingQueue> {
        if self.may_have_taken_effect {
            return None;
        }
        match self.cause.status()?.code {
            Code::NotFound => Some(MissingQueue::Missing),
            Code::FailedPrecondition if is_absent(&self.cause) => Some(MissingQueue::Missing),
            Code::FailedPrecondition if is_blocked(&self.cause) => Some(MissingQueue::Blocked),
            _ => None,
        }
    }
}

/// Whether a queue was rejected because its name is that of a recently deleted queue.
///
/// The service says `a queue with this name existed recently`, or `too recently`.
pub(crate) fn is_blocked(error: &GoogleError) -> bool {
    error.status().is_some_and(|status| {
        let text = status.message.to_lowercase();
        let says = |word| text.contains(word);
        status.code == Code::FailedPrecondition && says("queue") && says("existed") && says("recently")
    })
}

/// Whether a queue was rejected because it does not exist, which the service also reports with this code.
///
/// It says `Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.`
pub(crate) fn is_absent(error: &GoogleError) -> bool {
    error.status().is_some_and(|status| {
        let text = status.message.to_lowercase();
        status.code == Code::FailedPrecondition && text.contains("queue does not exist")
    })
}

/// Why the backup queue of an unavailable queue did not accept the task.
#[derive(Debug)]
pub(crate) struct BackupFailure {
    pub said: String,
    pub outcome: CreateOutcome,
}

impl BackupFailure {
    /// The backup queue rejects the task as well, and always will.
    pub fn refused(said: String) -> Self {
        Self {
            said,
            outcome: CreateOutcome::REFUSED,
        }
    }
}

/// The error for the caller.
pub(crate) fn error(
    task: &str,
    queue: &str,
    target: &TaskFactory,
    failed: Failed,
    backup_failure: Option<BackupFailure>,
) -> Error {
    let Failed {
        cause,
        may_have_taken_effect,
    } = failed;
    let outcome = CreateOutcome::of(&cause);
    let (said, backup) = backup_failure.map_or((String::new(), CreateOutcome::REFUSED), |backup_failure| {
        (format!("; {}", backup_failure.said), backup_failure.outcome)
    });
    let kind = if may_have_taken_effect || outcome.repeat || backup.may_have_taken_effect || backup.repeat {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Rejected
    };
    let what = if may_have_taken_effect {
        "may have been created, but there was no clear response"
    } else {
        "was not created"
    };
    let help = help(&cause, queue, target)
        .map(|help| format!("; {help}"))
        .unwrap_or_default();
    Error::new(
        kind,
        format!("task {task} {what} in queue {queue}: {cause}{help}{said}"),
    )
    .with_may_have_taken_effect(may_have_taken_effect || backup.may_have_taken_effect)
    .with_source(cause)
}

/// The remedy for an error that no retry can fix.
fn help(cause: &GoogleError, queue: &str, target: &TaskFactory) -> Option<String> {
    let path = target.queue(queue);
    let project = path.split('/').nth(1).unwrap_or("PROJECT");
    if let Some(help) = CLOUD_TASKS.help(cause, project) {
        return Some(help);
    }
    let is_missing = is_absent(cause) || is(cause, Code::NotFound);
    match cause.status()?.code {
        _ if is_missing => Some(format!(
            "check that the queue {path} exists; create it with `Runtime::setup` or `gcloud tasks queues create {path}`"
        )),
        Code::FailedPrecondition if is_blocked(cause) => Some(format!(
            "the name of a deleted queue stays blocked for up to 7 days, and {path} was deleted"
        )),
        Code::FailedPrecondition => Some(format!(
            "the name of a deleted queue stays blocked for up to 7 days; check whether {path} was deleted"
        )),
        Code::PermissionDenied => Some(format!(
            "the caller needs roles/cloudtasks.enqueuer on {path}, and roles/iam.serviceAccountUser on {}",
            target.service_account()
        )),
        Code::Unauthenticated => Some("the credentials were not accepted".to_owned()),
        _ => None,
    }
}
