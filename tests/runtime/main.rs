//! The runtime through its public API: settings, enqueueing, backends in this process, the service.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod auto_traits;
mod config;
mod dying;
mod eager;
mod enqueueing;
mod events;
mod interop;
mod linking;
mod mounting;
mod observing;
mod periodic;
mod propagation;
mod properties;
mod publishing;
mod recorder;
mod scopes;
mod service;
mod subscribing;
#[path = "../support/mod.rs"]
mod support;
mod tasks;
