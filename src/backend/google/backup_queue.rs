//! The queue that takes the tasks of one that is gone.

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_tasks_v2::model::Queue;

use crate::backend::google::create_error::{self, BackupFailure, CreateOutcome, Failed, MissingQueue};
use crate::backend::google::create_task::{CreateAttempt, GoogleBackend};
use crate::base::{Config, Enqueued, Envelope, Error, names};

/// How backup queues are called, and when they are made.
#[derive(Debug)]
pub(crate) struct Backup {
    config: Config,
    /// Where every queue is made when a task first goes to it, so is a backup queue.
    pub makes_every_queue: bool,
}

impl Backup {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            makes_every_queue: false,
        }
    }

    /// The backup queue of a queue, or why there is none.
    fn of(&self, queue: &str) -> Result<String, String> {
        const SET: &str = "set CLOUD_TASKS_BACKUP_QUEUE_NAME to another one";
        let backup = self.config.backup_queue(queue);
        if backup == queue {
            return Err(format!("it is its own backup queue: {SET}"));
        }
        match names::queue_mistake(&backup) {
            Some(mistake) => Err(format!(
                "its backup queue is none that there can be ({mistake}): {SET}"
            )),
            None => Ok(backup),
        }
    }
}

impl GoogleBackend {
    /// Creates a task in the backup queue of its own, which failed since it lacks this.
    pub(super) async fn create_in_backup(
        &self,
        mut envelope: Envelope,
        effort: &CreateAttempt,
        failed: Failed,
        lack: MissingQueue,
    ) -> Result<Enqueued, Error> {
        let queue = envelope.queue.clone();
        let tried = match self.backup.of(&queue) {
            Ok(backup) => {
                tracing::warn!(
                    queue,
                    backup,
                    error = %failed.cause,
                    "the queue is blocked or not there: the task goes to its backup queue"
                );
                envelope.queue = backup;
                self.try_backup(&envelope, effort, lack).await
            }
            Err(mistake) => Err(BackupFailure::refused(mistake)),
        };
        tried.map_err(|beside| {
            create_error::error(envelope.task(), &queue, &self.target, failed, Some(beside))
        })
    }

    /// Creates the task in a backup queue, which is made where it is missing and may be made.
    async fn try_backup(
        &self,
        envelope: &Envelope,
        effort: &CreateAttempt,
        lack: MissingQueue,
    ) -> Result<Enqueued, BackupFailure> {
        let backup = envelope.queue();
        let failed = match self.create_in_queue(envelope, effort).await {
            Ok(enqueued) => return Ok(enqueued),
            Err(failed) => failed,
        };
        if failed.lack() != Some(MissingQueue::Missing) {
            return Err(not_taken(backup, &failed));
        }
        if lack == MissingQueue::Missing && !self.backup.makes_every_queue {
            return Err(BackupFailure::refused(format!(
                "its backup queue {backup} is not there either"
            )));
        }
        if let Err(cause) = self.make_queue(backup).await {
            return Err(self.not_made(backup, &cause));
        }
        tracing::warn!(backup, "the backup queue was made");
        let again = self.create_in_queue(envelope, effort).await;
        again.map_err(|failed| match failed.lack() {
            Some(MissingQueue::Missing) => BackupFailure {
                said: format!(
                    "its backup queue {backup} was made just now, and it can take a minute until it takes tasks: enqueue \
                     the task again then"
                ),
                verdict: CreateOutcome::NOT_YET,
            },
            _ => not_taken(backup, &failed),
        })
    }

    /// Makes a queue with the settings that Cloud Tasks gives it; one that is there is left as it is.
    pub(crate) async fn make_queue(&self, queue: &str) -> Result<(), GoogleError> {
        let made = self
            .client
            .create_queue()
            .set_parent(self.target.location())
            .set_queue(Queue::new().set_name(self.target.queue(queue)))
            .send()
            .await;
        match made {
            Err(error)
                if error
                    .status()
                    .is_none_or(|status| status.code != Code::AlreadyExists) =>
            {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    fn not_made(&self, backup: &str, cause: &GoogleError) -> BackupFailure {
        let path = self.target.queue(backup);
        BackupFailure {
            said: format!(
                "its backup queue {backup} is not there, and was not made: {cause}; `gcloud tasks queues create {path}` \
                 makes it, CLOUD_TASKS_BACKUP_QUEUE_NAME names another one, and roles/cloudtasks.queueAdmin lets the \
                 caller make it"
            ),
            verdict: CreateOutcome {
                // That a queue may have been made is not that a task was.
                may_have_taken_effect: false,
                ..CreateOutcome::of(cause)
            },
        }
    }
}

/// A backup queue that is there, and does not take the task.
fn not_taken(backup: &str, failed: &Failed) -> BackupFailure {
    let Failed {
        cause,
        may_have_taken_effect,
    } = failed;
    let said = if *may_have_taken_effect {
        format!("it may have been created in its backup queue {backup}, but no answer says so: {cause}")
    } else {
        format!("its backup queue {backup} does not take it either: {cause}")
    };
    BackupFailure {
        said,
        verdict: CreateOutcome {
            may_have_taken_effect: *may_have_taken_effect,
            ..CreateOutcome::of(cause)
        },
    }
}
