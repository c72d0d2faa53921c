//! Services that share declarations: this program enqueues the tasks of the service `billing`, which it does not run.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "schema")]
mod asyncapi;
mod enqueue_only;
mod events;
mod handlers;
mod named;
#[cfg(feature = "schema")]
mod schema;
mod service_names;
mod shared_tasks;
mod wire;
