//! Unique tasks: their ids, their duplicates, on the wire and in several processes.

mod ids;
mod mistakes;
mod modes;
mod processes;
pub(crate) mod tasks;
mod wire;
