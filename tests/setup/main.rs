//! The set-up of topics, subscriptions, permissions and queues, against a cloud that is played here.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod cloud;
mod commands;
mod dead;
mod failures;
mod health;
mod iam;
mod labels;
mod local;
mod plans;
mod pubsub;
mod queues;
mod recreate;
mod refused;
mod schedules;
#[path = "../support/mod.rs"]
mod support;
