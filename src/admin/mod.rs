//! Operations on queues, dead tasks and the resources in the cloud.

pub mod dead_letters;
pub mod queue;
#[cfg(feature = "google")]
pub mod setup;
