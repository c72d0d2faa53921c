//! The simulator: what it finds, what it lets pass, and that it is the same in each run; and the promises of the library in it.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod determinism;
mod guide;
mod planted;
mod rules;
mod scenarios;
mod universal;
