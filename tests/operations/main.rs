//! Operations on queues and on the tasks in them: on the wire, and as commands.
#![cfg(feature = "google")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "../support/api.rs"]
mod api;
#[cfg(feature = "cli")]
mod commands;
#[cfg(feature = "cli")]
#[path = "../support/console.rs"]
mod console;
mod discarding;
mod elsewhere;
mod played;
mod recorded;
mod refusals;
mod wire;
