//! The local engine: tasks, schedules, repeated deliveries, dead tasks, operations, many tasks at
//! once, unique tasks and faults.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod backup;
mod bulk;
mod dead;
mod dependencies;
#[cfg(unix)]
mod elsewhere;
#[allow(clippy::print_stdout, reason = "it shows its figures")]
mod faults;
mod idempotency;
mod model;
mod modes;
mod operations;
mod schedules;
mod strangers;
#[path = "../support/mod.rs"]
mod support;
mod tasks;
mod unique;
mod values;
mod web_pages;
