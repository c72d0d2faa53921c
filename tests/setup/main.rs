//! The set-up of topics, subscriptions, permissions and queues, against a cloud that is played here.
#![cfg(feature = "google")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "../support/api.rs"]
mod api;
mod cloud;
#[cfg(feature = "cli")]
mod commands;
#[cfg(feature = "cli")]
#[path = "../support/console.rs"]
mod console;
mod dead;
mod failures;
mod local;
mod plans;
mod pubsub;
mod queues;
mod schedules;
