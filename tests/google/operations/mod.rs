//! Operations on queues and their tasks.

mod commands;
mod deleting;
mod elsewhere;
mod played;
mod recorded;
mod refusals;
mod wire;
