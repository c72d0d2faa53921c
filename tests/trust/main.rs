//! Who gets in, what is turned away, how the server stops, and what the logs keep to themselves.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod answers;
#[path = "../support/key_server.rs"]
mod key_server;
mod leaks;
mod limits;
mod serving;
mod support;
#[path = "../support/tokens.rs"]
mod tokens;
