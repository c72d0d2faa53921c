//! Google Cloud Tasks and Pub/Sub, through Google's own clients.

mod access;
mod answer;
mod backup;
mod connect;
mod create;
mod credentials;
mod emulated;
mod kept;
mod message;
mod operations;
mod patience;
mod pubsub;
mod queued;
mod read;
mod rest;
mod topic;

pub(crate) use access::{PubSubAccess, QueueAccess, SchedulerAccess};
pub(crate) use answer::is_blocked;
pub use connect::Google;
#[cfg(feature = "local")]
pub(crate) use create::GoogleBackend;
pub(crate) use credentials::metadata;
pub(crate) use kept::PubSubKeeper;
pub(crate) use patience::{Patience, backoff, caller_help, is};
