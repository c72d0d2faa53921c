//! Administration of queues, dead tasks and cloud resources.

pub mod dead_letters;
pub mod queue;
#[cfg(feature = "google")]
pub mod setup;
