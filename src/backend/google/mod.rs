//! Google Cloud Tasks and Pub/Sub, through Google's own clients.

mod access;
mod answer;
mod connect;
mod create;
mod credentials;
mod kept;
mod message;
mod pubsub;
mod rest;
mod topic;

pub(crate) use access::{PubSubAccess, QueueAccess, SchedulerAccess};
pub use connect::Google;
#[cfg(feature = "local")]
pub(crate) use create::GoogleBackend;
pub(crate) use credentials::metadata;
pub(crate) use kept::PubSubKeeper;
