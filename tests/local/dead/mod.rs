//! Dead tasks through the local engine and through Google's Pub/Sub emulator: given up, captured, listed and replayed, through
//! the API and by command.

mod commands;
mod emulator;
mod engine;
#[cfg(unix)]
mod interrupted;
mod played;
mod replays;
mod rest;
pub(crate) mod stage;
