//! Background jobs and events for Rust services on Google Cloud Tasks and Pub/Sub.
//!
//! A task is a type whose fields are its arguments. `#[task]` registers it when the program is linked; enqueueing it is a
//! method call; it comes back to the same service as an HTTP request, which a tower layer or service answers.
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
//! let runtime = Runtime::eager().build().await?;      // Runtime::builder() for Google Cloud Tasks
//! runtime.scope(async {
//!     SendWelcomeEmail { user_id: 7 }.asap().await
//! }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//!
//! * [`Task`] and [`macro@task`]: defining one. [`TaskResult`], [`Discard`], [`RetryAfter`]: how it ends. [`Context`] and
//!   [`TaskMetadata`]: what it is told.
//! * [`Task::on_dead`], [`Dead`] and `Runtime::dead_tasks`: the last attempt and after; the [guide](guide::retries) has all of it.
//! * [`PeriodicTask`] and [`Schedule`]: tasks at their times; the [guide](guide::periodic) has all of it.
//! * [`PublisherTask`], [`ModelPublisherTask`] and [`SubscriberTask`]: events; the [guide](guide::pubsub) has all of it.
//! * [`Task::asap_all`] and [`EnqueueAll`]: many at once; the [guide](guide::bulk) has all of it.
//! * [`Enqueue`]: the options of a call, and [`Enqueued`] what comes of it. [`Error`] says whether a task may exist.
//! * Tasks of which there is one at a time: the [guide to unique tasks](guide::uniqueness). A queue that is gone:
//!   `guide::backup_queue`.
//! * [`IdempotencyStore`] and [`Context::once`]: effects that happen once; the [guide](guide::idempotency) has all of it.
//! * [`Dead`] and [`Task::on_dead`]: tasks that are given up, and run again; the [guide](guide::retries) has all of it.
//! * [`CommitHooks`]: sending only what a transaction has committed; feature `sqlx` has a transaction that does it.
//! * [`Runtime`] and [`RuntimeBuilder`]: settings, states and the backend; how code finds them. [`Config`]: all settings.
//! * [`Queue`] and [`Task::tasks`]: what waits in a queue, to look at, cancel, run, discard; the [guide](guide::operations) has all
//!   of it.
//! * [`TaskService`] and [`TaskLayer`]: answering Cloud Tasks under axum, hyper or any tower stack.
//! * `TrustedCallers`: who may call; checked by default. `Runtime::serve`: a server with time limits that stops gracefully.
//! * `Runtime::setup` and `Plan`: the cloud made to look as the code says; `cli` has it as commands.
//! * [`Runtime::eager`], [`Runtime::recorded`] and [`Recorder`]: tests; `testing` runs single attempts and signs requests, and
//!   `guide::testing` has all of it. `Runtime::local`: the whole way on a laptop.
//!
//! # Features
//!
//! `google` (default) calls Google Cloud Tasks; `serve` (default) has a server that stops gracefully; `local` adds a Cloud Tasks
//! API in this process; `cli` has commands; `sqlx` adds a transaction that sends after its commit; `testing` has what tests of
//! a whole service need. A crate that only defines tasks needs none of them.
//!
//! # In doc tests of your own
//!
//! From edition 2024 on, the doc tests of a crate are linked into one program, and so are the tasks that they define: two
//! of the same name make every `build()` in it fail. Write ```` ```standalone_crate ```` at the top of those that define one.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod admin;
mod auth;
mod backend;
mod base;
#[cfg(feature = "cli")]
#[cfg_attr(docsrs, doc(cfg(feature = "cli")))]
pub mod cli;
mod event;
pub mod guide;
mod registry;
mod runtime;
mod service;
#[cfg(feature = "sqlx")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlx")))]
pub mod sqlx;
mod task;
pub mod testing;

#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use crate::admin::dead_letters::list::{DeadList, ListDead};
#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use crate::admin::dead_letters::replay::{Replay, Replayed};
#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use crate::admin::dead_letters::{DeadTasks, UnreplayedTask};
pub use crate::admin::queue::Queue;
pub use crate::admin::queue::discard::DeleteTasks;
pub use crate::admin::queue::list::QueuedTasks;
pub use crate::admin::queue::of_type::Tasks;
pub use crate::admin::queue::report::{DeleteFailure, DeleteReport};
#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use crate::admin::setup::{
    Action, Change, Failure, FieldChange, HeldBack, Plan, ResourceKind, SetUpError, SetUpReport, Setup,
};
#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use crate::auth::TrustedCallers;
#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use crate::backend::google::Google;
#[cfg(feature = "local")]
#[cfg_attr(docsrs, doc(cfg(feature = "local")))]
pub use crate::backend::local::LocalEngine;
pub use crate::backend::{Backend, BackendFuture};
pub use crate::base::config::{Config, RetrySettings};
pub use crate::base::context::Context;
pub use crate::base::error::{BoxError, Error, ErrorKind};
pub use crate::base::metadata::TaskMetadata;
pub use crate::base::outcome::{Discard, OrDiscard, RetryAfter, TaskError, TaskResult};
pub use crate::base::wire::dead::{Dead, DeadCause};
#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use crate::base::wire::dead_task::DeadTask;
pub use crate::base::wire::envelope::{Enqueued, Envelope};
pub use crate::base::wire::publication::{Attributes, Publication};
pub use crate::base::wire::queue_info::{QueueInfo, QueueState};
pub use crate::base::wire::queued_task::{LastAttempt, QueuedTask};
pub use crate::event::Event;
pub use crate::event::message::Message;
pub use crate::event::model::{Model, ModelPublisherTask, PreparedEvent};
pub use crate::event::publish::{Publish, PublishNow};
pub use crate::event::publisher::PublisherTask;
pub use crate::event::subscriber::SubscriberTask;
pub use crate::registry::filter::{Filter, FilterError};
pub use crate::registry::queue_settings::QueueSettings;
pub use crate::registry::schedule::Schedule;
pub use crate::registry::subscription::Subscription;
pub use crate::registry::topic::Topic;
pub use crate::runtime::Runtime;
pub use crate::runtime::builder::RuntimeBuilder;
pub use crate::runtime::builder::configured::Configured;
#[cfg(feature = "local")]
#[cfg_attr(docsrs, doc(cfg(feature = "local")))]
pub use crate::runtime::builder::configured::Embedded;
pub use crate::runtime::builder::in_process::{InProcess, Recorded};
pub use crate::runtime::idempotency::{
    Claim, ClaimToken, IdempotencyKey, IdempotencyStore, MemoryStore, Once, StoreFuture,
};
pub use crate::runtime::inventory::{RegisteredKind, RegisteredTask};
#[cfg(feature = "serve")]
#[cfg_attr(docsrs, doc(cfg(feature = "serve")))]
pub use crate::service::server::{Serve, ServeBody};
pub use crate::service::{TaskFuture, TaskLayer, TaskLayerService, TaskService};
pub use crate::task::bulk::{BulkProgress, EnqueueAll};
pub use crate::task::commit::{CommitHooks, Transactional, UnsentError};
pub use crate::task::enqueue::{Enqueue, RunAt, RunNow};
pub use crate::task::periodic::PeriodicTask;
pub use crate::task::{Registered, Task};
pub use crate::testing::recorder::{Drain, RecordedTask, Recorder};
pub use cloud_tasks_macros::{Model, task};

/// What `#[task]` writes code against; not for use by hand, and free to change.
#[doc(hidden)]
pub mod __private {
    pub use crate::base::state::{Resolved, Resolver};
    pub use crate::event::subscriber::parse_json;
    pub use crate::registry::schedule::ScheduleOptions;
    pub use crate::registry::unique::{UniqueFields, UniqueOptions};
    pub use crate::registry::{Collected, Registration};
    pub use crate::task::periodic::{DefaultPayload, IntoPayload};
    pub use inventory;
}

/// The README's code, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
