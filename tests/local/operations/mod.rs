//! Operations on queues and on the tasks in them, in the local engine.

mod engine;
pub(crate) mod stage;
