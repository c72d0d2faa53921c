//! Idempotency through the public API: stores, deliveries that are repeated, what fails.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod deliveries;
mod failures;
mod once;
mod stores;
mod support;
