//! The Google backend on the wire: creating tasks, retries, backup queues and operations on queues.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod backup;
mod calls_in_flight;
mod credentials;
mod emulators;
mod failing_credentials;
mod many_names;
mod metadata_server;
mod operations;
mod publish_faults;
mod publishing;
mod refusals;
mod retries;
mod sending;
mod settings;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod tasks;
mod transport;
mod unclear_answers;
mod waiting;
mod warm_up;
