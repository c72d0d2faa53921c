//! Background jobs for Rust services on Google Cloud Tasks.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod builder;
mod config;
mod context;
mod enqueue;
mod envelope;
mod error;
mod json;
mod limits;
mod metadata;
mod names;
mod outcome;
mod registry;
mod run;
mod runtime;
mod scope;
mod service;
mod state;
mod task;

#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use backend::google::Google;
#[cfg(feature = "local")]
#[cfg_attr(docsrs, doc(cfg(feature = "local")))]
pub use backend::local::LocalEngine;
pub use backend::recorder::Recorder;
pub use backend::{Backend, BackendFuture};
#[cfg(feature = "local")]
#[cfg_attr(docsrs, doc(cfg(feature = "local")))]
pub use builder::Embedded;
pub use builder::{Configured, InProcess, Recorded, RuntimeBuilder};
pub use cloud_tasks_macros::task;
pub use config::{Config, RetrySettings};
pub use context::Context;
pub use enqueue::{Enqueue, SyncRun, When};
pub use envelope::{Enqueued, Envelope};
pub use error::{BoxError, Error, ErrorKind};
pub use metadata::TaskMetadata;
pub use outcome::{Discard, OrDiscard, RetryAfter, TaskError, TaskResult};
pub use runtime::Runtime;
pub use service::{TaskFuture, TaskLayer, TaskLayerService, TaskService};
pub use task::{Registered, Task};

/// What `#[task]` writes code against; not for use by hand, and free to change.
#[doc(hidden)]
pub mod __private {
    pub use crate::registry::{Linked, Registration};
    pub use crate::state::{Resolved, Resolver};
    pub use inventory;
}
