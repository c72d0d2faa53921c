//! Google Cloud Tasks and Pub/Sub, through Google's own clients.

mod access;
mod backup_queue;
mod connect;
mod convert;
mod convert_queued;
mod create_error;
mod create_task;
mod credentials;
mod dead_letters;
mod emulator_client;
mod publish;
mod pull_client;
mod queue_admin;
mod read_task;
mod retry;

pub(crate) use access::{PubSubAccess, QueueAccess, SchedulerAccess};
pub use connect::Google;
pub(crate) use create_error::is_blocked;
#[cfg(feature = "local")]
pub(super) use create_task::GoogleBackend;
pub(crate) use credentials::metadata;
pub(super) use dead_letters::PubSubDeadLetters;
pub(crate) use retry::{CLOUD_TASKS, PUBSUB, RetryUnavailable, SCHEDULER, backoff, caller_help, is};
