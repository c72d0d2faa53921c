//! What people do to queues and to the tasks in them.

mod debug;
mod discard;
mod listed;
mod queue;
mod report;
mod typed;
mod wanted;

pub use discard::DiscardTasks;
pub use listed::QueuedTasks;
pub use queue::Queue;
pub use report::{DiscardFailure, DiscardReport};
pub use typed::Tasks;
