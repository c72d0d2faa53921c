//! What a queue tells of itself and of the tasks in it.

mod info;
mod shown;
mod task;

pub use info::{QueueInfo, QueueState};
pub(crate) use task::task_name;
pub use task::{LastAttempt, QueuedTask};
