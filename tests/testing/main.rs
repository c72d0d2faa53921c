//! The test kit through its public API: checks, the clock, modes, single attempts, requests to a whole service.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod checks;
mod draining;
mod events;
mod modes;
mod own_methods;
mod performing;
mod registered;
mod requests;
mod service;
mod side_by_side;
#[path = "../support/mod.rs"]
mod support;
mod tasks;
