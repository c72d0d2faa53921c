//! Messages on their way from a publisher to a subscriber: through the local engine, and through Google's Pub/Sub emulator.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod emulator;
mod engine;
#[path = "../support/mod.rs"]
mod support;
