//! Tasks that are unique: their ids, what becomes of duplicates in each mode, and many processes at once.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod ids;
mod mistakes;
mod modes;
#[cfg(feature = "local")]
mod processes;
mod tasks;
#[cfg(feature = "google")]
mod wire;

#[cfg(feature = "google")]
#[path = "../support/api.rs"]
mod api;
#[cfg(feature = "local")]
#[allow(dead_code, reason = "others give the child more")]
#[path = "../support/child.rs"]
mod child;
