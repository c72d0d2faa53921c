//! Dead tasks through the local engine and through Google's Pub/Sub emulator: given up, kept, listed, replayed, by hand and
//! by command.
#![cfg(feature = "local")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod commands;
#[path = "../support/console.rs"]
mod console;
mod emulator;
mod engine;
#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "../support/pubsub.rs"]
mod pubsub;
mod rest;
mod stage;
