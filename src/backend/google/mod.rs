//! Google Cloud Tasks and Pub/Sub: frequent calls by a transport of our own, all others by Google's clients.

mod access;
mod backup_queue;
mod call_limit;
mod connect;
mod convert;
mod convert_queued;
mod create_body;
mod create_error;
mod create_task;
mod credentials;
mod dead_letters;
mod error;
mod official_client;
mod publish;
mod queue_admin;
mod read_task;
mod rest_client;
mod retry;
#[cfg(feature = "testing")]
mod simulated;
mod transport;

#[cfg(feature = "local")]
pub(super) use access::ATTEMPT_TIMEOUT;
pub(crate) use access::{PubSubAccess, QueueAccess, SchedulerAccess};
pub use connect::Google;
#[cfg(feature = "local")]
pub(super) use create_task::GoogleBackend;
pub(crate) use credentials::metadata;
pub(super) use dead_letters::PubSubDeadLetters;
pub(crate) use error::{Call, Operation, is, is_blocked};
pub(crate) use retry::{RetryTransient, backoff};
#[cfg(feature = "testing")]
pub(crate) use simulated::SimulatedGoogle;
