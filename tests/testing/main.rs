//! The test kit through its public API: checks, the clock, modes, single attempts, requests to a whole service.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod checks;
mod draining;
mod events;
#[path = "../support/key_server.rs"]
mod key_server;
mod modes;
mod performing;
mod requests;
mod service;
mod side_by_side;
mod support;
#[path = "../support/tokens.rs"]
mod tokens;
