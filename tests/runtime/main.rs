//! The runtime through its public API: settings, enqueueing, backends in this process, the service, what follows a commit,
//! idempotency.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod auto_traits;
mod chains;
mod commit;
mod commit_cut_off;
mod config;
mod dependencies;
mod dying;
mod eager;
mod encoding;
mod enqueueing;
mod events;
mod extremes;
mod forwarding;
mod google_events;
mod idempotency;
mod interop;
mod linking;
mod mistaken;
mod mounting;
mod observing;
mod pages;
mod periodic;
mod propagation;
mod properties;
mod publishing;
mod push_deadlines;
mod python;
mod recorder;
mod responses;
mod scopes;
mod service;
mod subscribing;
mod support;
mod tasks;
