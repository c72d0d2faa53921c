//! Operations on queues and on the tasks in them, in the local engine.
#![cfg(feature = "local")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod engine;
mod stage;
