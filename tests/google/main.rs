//! The Google backend on the wire: creating tasks, retries, backup queues and operations on queues.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod backup;
mod many_names;
mod operations;
mod publish_faults;
mod publishing;
mod retries;
mod sending;
#[path = "../support/mod.rs"]
mod support;
mod tasks;
mod transport;
mod waiting;
mod warm_up;
