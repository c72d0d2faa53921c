//! Who gets in, what is turned away, how the server stops, and what the logs keep to themselves.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod answers;
mod audiences;
mod leaks;
mod limits;
mod probing;
mod service;
mod serving;
mod start;
mod stopping;
#[path = "../support/mod.rs"]
mod support;
mod texts;
