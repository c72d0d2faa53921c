//! What is sent after a commit, and only then.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod hooks;
#[path = "../support/commit.rs"]
mod support;
