//! Administration of queues, dead tasks and cloud resources.

pub mod dead_letters;
pub mod queue;
#[cfg(feature = "schema")]
pub mod schema;
#[cfg(feature = "google")]
pub mod setup;
