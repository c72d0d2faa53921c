//! Backup queues for the tasks of deleted queues.

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_tasks_v2::model::Queue;

use crate::backend::google::create_error::{self, BackupFailure, Failed, MissingQueue};
use crate::backend::google::create_task::{CreateAttempt, GoogleBackend};
use crate::backend::google::error::{Call, CallOutcome, Earlier, Operation, is};
use crate::base::text::error_chain;
use crate::base::{Config, Enqueued, Envelope, Error, names};

/// The names of backup queues, and when they are created.
#[derive(Debug)]
pub(crate) struct Backup {
    config: Config,
    /// Whether a queue is created when its first task arrives; then a backup queue is, too.
    pub makes_every_queue: bool,
}

impl Backup {
    pub fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            makes_every_queue: false,
        }
    }

    /// The backup queue of a queue, or why it has none.
    fn of(&self, queue: &str) -> Result<String, String> {
        const SET: &str = "set CLOUD_TASKS_BACKUP_QUEUE_NAME to another one";
        let backup = self.config.backup_queue(queue);
        if backup == queue {
            return Err(format!("it is its own backup queue: {SET}"));
        }
        match names::validate_queue(&backup) {
            Err(error) => Err(format!("the backup queue name is invalid: {error}; {SET}")),
            Ok(()) => Ok(backup),
        }
    }
}

impl GoogleBackend {
    /// Creates a task in the backup queue, because its own queue failed in this way.
    pub(super) async fn create_in_backup(
        &self,
        mut envelope: Envelope,
        attempt: &mut CreateAttempt,
        failed: Failed,
        missing_queue: MissingQueue,
    ) -> Result<Enqueued, Error> {
        let queue = envelope.queue.clone();
        let tried = match self.backup.of(&queue) {
            Ok(backup) => {
                tracing::warn!(
                    queue,
                    backup,
                    error = %error_chain(&failed.cause),
                    "the queue is blocked or missing: the task goes to its backup queue"
                );
                envelope.queue = backup;
                self.try_backup(&envelope, attempt, missing_queue).await
            }
            Err(reason) => Err(BackupFailure::refused(reason)),
        };
        tried.map_err(|backup_failure| {
            create_error::error(
                envelope.task(),
                &queue,
                &self.target,
                failed,
                Some(&backup_failure),
            )
        })
    }

    /// Creates the task in a backup queue. Creates the queue first if it is missing and may be created.
    async fn try_backup(
        &self,
        envelope: &Envelope,
        attempt: &mut CreateAttempt,
        missing_queue: MissingQueue,
    ) -> Result<Enqueued, BackupFailure> {
        let backup = envelope.queue();
        let failed = match self.create_in_queue(envelope, attempt).await {
            Ok(enqueued) => return Ok(enqueued),
            Err(failed) => failed,
        };
        if failed.missing_queue() != Some(MissingQueue::Missing) {
            return Err(not_accepted(backup, &failed));
        }
        if missing_queue == MissingQueue::Missing && !self.backup.makes_every_queue {
            return Err(BackupFailure::refused(format!(
                "its backup queue {backup} does not exist either"
            )));
        }
        if let Err(cause) = self.make_queue(backup).await {
            return Err(self.not_made(backup, &cause));
        }
        tracing::warn!(backup, "created the backup queue");
        let again = self.create_in_queue(envelope, attempt).await;
        again.map_err(|failed| match failed.missing_queue() {
            Some(MissingQueue::Missing) => BackupFailure {
                reason: format!(
                    "its backup queue {backup} was just created, and may reject tasks for a minute: enqueue the task again then"
                ),
                outcome: CallOutcome::NOT_YET,
            },
            _ => not_accepted(backup, &failed),
        })
    }

    /// Creates a queue with the default settings of Cloud Tasks. An existing queue is not changed.
    pub async fn make_queue(&self, queue: &str) -> Result<(), GoogleError> {
        let client = self.client.get().await?;
        let made = client
            .create_queue()
            .set_parent(self.target.location())
            .set_queue(Queue::new().set_name(self.target.queue(queue)))
            .send()
            .await;
        match made {
            Err(error) if !is(&error, Code::AlreadyExists) => Err(error),
            _ => Ok(()),
        }
    }

    fn not_made(&self, backup: &str, cause: &GoogleError) -> BackupFailure {
        let path = self.target.queue(backup);
        let help = Call::new(Operation::ChangeResource, &path, "created")
            .help(cause)
            .map(|help| format!("; {help}"))
            .unwrap_or_default();
        BackupFailure {
            reason: format!(
                "its backup queue {backup} does not exist and could not be created: {cause}{help}; or create it with \
                 `gcloud tasks queues create {path}`, or set CLOUD_TASKS_BACKUP_QUEUE_NAME to another one"
            ),
            outcome: CallOutcome {
                // The queue may have been created, but no task was.
                may_have_taken_effect: false,
                ..CallOutcome::of(cause)
            },
        }
    }
}

/// The failure of a backup queue that exists and rejects the task.
fn not_accepted(backup: &str, failed: &Failed) -> BackupFailure {
    let Failed { cause, calls } = failed;
    let may_have_taken_effect = *calls == Earlier::Unclear;
    let reason = if may_have_taken_effect {
        format!(
            "it may have been created in its backup queue {backup}, but there was no clear response: {cause}"
        )
    } else {
        format!("its backup queue {backup} rejected it as well: {cause}")
    };
    BackupFailure {
        reason,
        outcome: CallOutcome {
            may_have_taken_effect,
            ..CallOutcome::of(cause)
        },
    }
}
