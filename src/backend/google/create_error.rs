//! The error of a task that was not created, in its queue or in the backup queue.

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};

use crate::backend::google::convert::TaskFactory;
use crate::backend::google::error::{Call, CallOutcome, Earlier, Operation, is, is_blocked, is_queue_absent};
use crate::base::Error;

/// A create that failed, with all its retries.
#[derive(Debug)]
pub(crate) struct Failed {
    pub cause: GoogleError,
    /// What all its calls did, with the last one.
    pub calls: Earlier,
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
        if self.calls == Earlier::Unclear {
            None
        } else if is(&self.cause, Code::NotFound) || is_queue_absent(&self.cause) {
            Some(MissingQueue::Missing)
        } else {
            is_blocked(&self.cause).then_some(MissingQueue::Blocked)
        }
    }
}

/// Why the backup queue of an unavailable queue did not accept the task.
#[derive(Debug)]
pub(crate) struct BackupFailure {
    pub reason: String,
    pub outcome: CallOutcome,
}

impl BackupFailure {
    /// The backup queue rejects the task as well, and always will.
    pub fn refused(reason: String) -> Self {
        Self {
            reason,
            outcome: CallOutcome::REFUSED,
        }
    }
}

/// The error for the caller.
pub(crate) fn error(
    task: &str,
    queue: &str,
    target: &TaskFactory,
    failed: Failed,
    backup_failure: Option<&BackupFailure>,
) -> Error {
    let path = target.queue(queue);
    let operation = Operation::CreateTask {
        account: target.service_account(),
    };
    let call =
        Call::new(operation, &path, &format!("created in queue {queue}")).subject(format!("task {task}"));
    let fallback = backup_failure.map(|backup| (backup.reason.as_str(), backup.outcome));
    call.failed_after(failed.calls, failed.cause, fallback)
}
