//! What an answer of Cloud Tasks means for the task that was to be created.

use google_cloud_gax::error::{CredentialsError, Error as GoogleError, rpc::Code};
use std::error::Error as _;

use crate::backend::google::convert::TaskFactory;
use crate::backend::google::retry::{CLOUD_TASKS, is};
use crate::base::{Error, ErrorKind};

/// What is known after a call that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CreateOutcome {
    /// A task of that name is there, whoever made it.
    pub exists: bool,
    /// The call may have created the task.
    pub may_have_taken_effect: bool,
    /// The same call may succeed a little later.
    pub repeat: bool,
}

impl CreateOutcome {
    const EXISTS: Self = Self {
        exists: true,
        may_have_taken_effect: true,
        repeat: false,
    };
    /// Refused, and it will be again.
    const REFUSED: Self = Self {
        exists: false,
        may_have_taken_effect: false,
        repeat: false,
    };
    /// Nothing was created this time.
    pub(crate) const NOT_YET: Self = Self {
        exists: false,
        may_have_taken_effect: false,
        repeat: true,
    };
    /// Nobody knows.
    const UNKNOWN: Self = Self {
        exists: false,
        may_have_taken_effect: true,
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

/// A create that did not succeed, with all its repeats.
#[derive(Debug)]
pub(crate) struct Failed {
    pub cause: GoogleError,
    /// Whether one of the calls may have created the task.
    pub may_have_taken_effect: bool,
}

/// Why a queue takes no tasks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum MissingQueue {
    /// It was deleted not long ago, and its name is blocked.
    Blocked,
    /// It is not there.
    Missing,
}

impl Failed {
    /// What the queue lacks, where that is why, and where it is certain that it holds no such task.
    pub(crate) fn lack(&self) -> Option<MissingQueue> {
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

/// Whether a queue was refused since its name is that of one that was deleted.
///
/// The service says `a queue with this name existed recently`, or `too recently`.
pub(crate) fn is_blocked(error: &GoogleError) -> bool {
    error.status().is_some_and(|status| {
        let text = status.message.to_lowercase();
        let says = |word| text.contains(word);
        status.code == Code::FailedPrecondition && says("queue") && says("existed") && says("recently")
    })
}

/// Whether a queue was refused since it is not there, which the service also says with this code.
///
/// It says `Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.`
pub(crate) fn is_absent(error: &GoogleError) -> bool {
    error.status().is_some_and(|status| {
        let text = status.message.to_lowercase();
        status.code == Code::FailedPrecondition && text.contains("queue does not exist")
    })
}

/// What came of the backup queue of a queue that takes no tasks.
#[derive(Debug)]
pub(crate) struct BackupFailure {
    pub said: String,
    pub verdict: CreateOutcome,
}

impl BackupFailure {
    /// It takes none either, and never will.
    pub(crate) fn refused(said: String) -> Self {
        Self {
            said,
            verdict: CreateOutcome::REFUSED,
        }
    }
}

/// The error that the caller gets.
pub(crate) fn error(
    task: &str,
    queue: &str,
    target: &TaskFactory,
    failed: Failed,
    beside: Option<BackupFailure>,
) -> Error {
    let Failed {
        cause,
        may_have_taken_effect,
    } = failed;
    let verdict = CreateOutcome::of(&cause);
    let (said, backup) = beside.map_or((String::new(), CreateOutcome::REFUSED), |beside| {
        (format!("; {}", beside.said), beside.verdict)
    });
    let kind = if may_have_taken_effect || verdict.repeat || backup.may_have_taken_effect || backup.repeat {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Rejected
    };
    let what = if may_have_taken_effect {
        "may have been created, but no answer says so"
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

/// What fixes an answer that is the same every time.
fn help(cause: &GoogleError, queue: &str, target: &TaskFactory) -> Option<String> {
    let path = target.queue(queue);
    let project = path.split('/').nth(1).unwrap_or("PROJECT");
    if let Some(help) = CLOUD_TASKS.help(cause, project) {
        return Some(help);
    }
    let is_missing = is_absent(cause) || is(cause, Code::NotFound);
    match cause.status()?.code {
        _ if is_missing => Some(format!(
            "is there a queue {path}? `Runtime::setup` makes it, and so does `gcloud tasks queues create {path}`"
        )),
        Code::FailedPrecondition if is_blocked(cause) => Some(format!(
            "the name of a queue that was deleted stays blocked for up to 7 days, and {path} is such a one"
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
