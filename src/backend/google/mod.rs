//! Google Cloud Tasks and Pub/Sub, through Google's own clients.

pub(crate) mod access;
pub(crate) mod backup_queue;
pub(crate) mod connect;
pub(crate) mod convert;
pub(crate) mod convert_queued;
pub(crate) mod create_error;
pub(crate) mod create_task;
pub(crate) mod credentials;
pub(crate) mod dead_letters;
pub(crate) mod emulator_client;
pub(crate) mod publish;
pub(crate) mod pull_client;
pub(crate) mod queue_admin;
pub(crate) mod read_task;
pub(crate) mod retry;
pub(crate) mod topic_publisher;

pub(crate) use access::{PubSubAccess, QueueAccess, SchedulerAccess};
pub use connect::Google;
pub(crate) use create_error::is_blocked;
#[cfg(feature = "local")]
pub(crate) use create_task::GoogleBackend;
pub(crate) use credentials::metadata;
pub(crate) use dead_letters::PubSubDeadLetters;
pub(crate) use retry::{RetryUnavailable, backoff, caller_help, is};
