//! Background jobs and events for Rust services on Google Cloud Tasks and Pub/Sub.
//!
//! A task is a type; its fields are the arguments. `#[task]` registers it at link time, and enqueueing it is a method
//! call. It comes back to the same service as an HTTP request, which a tower layer or service handles.
//!
//! ```standalone_crate
//! use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct SendWelcomeEmail { user_id: u64 }
//!
//! #[task(queue = "emails")]
//! impl Task for SendWelcomeEmail {
//!     async fn run(self, cx: Context) -> TaskResult<String> {
//!         Ok(format!("sent to {} in attempt {}", self.user_id, cx.metadata().attempt()))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), cloud_tasks::Error> {
//! let runtime = Runtime::eager().build().await?;      // in a program: Runtime::builder()
//! runtime.scope(async {
//!     SendWelcomeEmail { user_id: 7 }.asap().await
//! }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Install
//!
//! ```sh
//! cargo add cloud-tasks
//! cargo add serde --features derive
//! cargo add tokio --features full
//! ```
//!
//! [Getting started](guide::getting_started) has the parts of a whole program, which runs on a laptop without an account, and the
//! [guide] a page for each topic.
//!
//! # Modules
//!
//! The root has what you type every day. Everything else is in a module:
//!
//! * [`task`](mod@task): the builders of an enqueue, their receipts, and the metadata of an attempt.
//! * [`event`]: events, publishers, subscribers, topics and filters.
//! * [`schedule`]: when periodic tasks run.
//! * [`commit`]: sends only what a transaction has committed; `cloud-tasks-sqlx` has such a transaction.
//! * [`idempotency`]: runs a repeated delivery once.
//! * [`queue`]: lists, deletes, runs and pauses what waits in a queue.
//! * [`dead_letters`]: records, lists and replays tasks whose last attempt failed.
//! * `setup`: plans and applies changes to queues, topics, subscriptions and schedules (feature `google`).
//! * `schema`: JSON Schemas of tasks and events, and what a change breaks (feature `schema`).
//! * [`service`]: the tower service and layer, the server and the callers that it trusts.
//! * [`runtime`]: the builder of a [`Runtime`] and its modes.
//! * [`backend`]: where tasks go; implement [`Backend`](backend::Backend) for a queue of your own.
//! * [`testing`]: a recorder, single attempts, signed requests and simulations for tests.
//! * `cli`: commands for your binary (feature `cli`).
//! * [`guide`]: one page per topic, with examples.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `google` | yes | Google Cloud Tasks and Pub/Sub through the official clients, callers verified, set-up |
//! | `serve` | yes | `Runtime::serve`, a server with time limits and a graceful stop |
//! | `local` | | a Cloud Tasks API, a Pub/Sub and a scheduler in this process, for laptops and tests |
//! | `cli` | | commands that a binary of yours mounts |
//! | `axum` | | `IntoResponse` for [`Error`]: 503 with `Retry-After`, or 500 |
//! | `testing` | | single attempts, signed requests and simulations for tests |
//! | `schema` | | JSON Schemas of tasks and events, and a check of their changes |
//!
//! A crate that only defines tasks needs none of them.
//!
//! # Doc tests of your own
//!
//! From edition 2024 on, rustdoc links the doc tests of a crate into one program, and with them the tasks that they define.
//! Two tasks with one name make every `build()` in it fail: use different names, or write ```` ```standalone_crate ```` at the
//! top of an example that defines a task.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod admin;
mod auth;
pub mod backend;
mod base;
#[cfg(feature = "cli")]
#[cfg_attr(docsrs, doc(cfg(feature = "cli")))]
pub mod cli;
pub mod event;
pub mod guide;
mod registry;
pub mod runtime;
pub mod service;
pub mod task;
pub mod testing;

#[cfg(feature = "schema")]
#[cfg_attr(docsrs, doc(cfg(feature = "schema")))]
pub use admin::schema;
#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use admin::setup;
pub use admin::{dead_letters, queue};
pub use registry::schedule;
pub use runtime::idempotency;
pub use task::commit;

pub use base::{
    BoxError, Config, Context, Discard, Error, ErrorKind, OrDiscard, RetryAfter, TaskError, TaskResult,
};
pub use cloud_tasks_macros::{Model, task};
pub use event::{Event, Message, Model, ModelPublisherTask, PublisherTask, SubscriberTask};
pub use runtime::Runtime;
pub use task::{PeriodicTask, Task};

/// Used by the code that `#[task]` generates. Not public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::__schema_of as schema_of;
    pub use crate::base::{Attributes, Resolved, Resolver};
    pub use crate::event::subscriber::parse_json;
    pub use crate::registry::schedule::ScheduleOptions;
    pub use crate::registry::schema::{SchemaOf, SchemaWriter, WithoutSchema};
    pub use crate::registry::topic::Topic;
    pub use crate::registry::unique::{UniqueFields, UniqueOptions};
    pub use crate::registry::{Collected, Registration};
    pub use crate::task::Registered;
    pub use crate::task::periodic::{DefaultPayload, IntoPayload};
    pub use inventory;
}

/// Tests the code of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Tests the examples of the attribute and the derive, whose crate cannot depend on this one.
#[cfg(doctest)]
mod macros {
    #[doc = include_str!("../macros/src/task.md")]
    struct Task;

    #[doc = include_str!("../macros/src/model.md")]
    struct Model;

    #[doc = include_str!("../macros/src/refused.md")]
    struct Refused;
}
