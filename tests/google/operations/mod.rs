//! Operations on queues and on the tasks in them.

mod commands;
mod discarding;
mod elsewhere;
mod played;
mod recorded;
mod refusals;
mod wire;
