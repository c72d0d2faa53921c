//! Operations on queues, dead tasks and the resources in the cloud.

#[cfg(feature = "google")]
pub(crate) mod dead_letters;
pub(crate) mod queue;
#[cfg(feature = "google")]
pub(crate) mod setup;
