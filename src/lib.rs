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
//! * `Callers`: who may call; checked by default. `Runtime::serve`: a server with time limits that stops gracefully.
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

mod backend;
mod builder;
mod bulk;
mod carry;
#[cfg(feature = "cli")]
#[cfg_attr(docsrs, doc(cfg(feature = "cli")))]
pub mod cli;
mod clock;
mod commit;
mod config;
mod context;
mod dead;
mod enqueue;
mod envelope;
mod error;
mod event;
mod filter;
pub mod guide;
mod idempotency;
mod json;
mod keeping;
mod limits;
mod message;
mod metadata;
mod model;
mod names;
mod operations;
mod outcome;
mod periodic;
mod publication;
mod publish;
mod publisher;
mod push;
mod queue;
mod queued;
mod receive;
mod registered;
mod registry;
mod run;
mod runtime;
mod schedule;
mod scope;
#[cfg(feature = "serve")]
mod serve;
mod service;
#[cfg(feature = "google")]
mod setup;
#[cfg(feature = "sqlx")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlx")))]
pub mod sqlx;
mod state;
mod subscriber;
mod subscription;
mod task;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod topic;
mod unique;
mod verify;

#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use backend::google::Google;
#[cfg(feature = "local")]
#[cfg_attr(docsrs, doc(cfg(feature = "local")))]
pub use backend::local::LocalEngine;
pub use backend::recorder::{Drain, RecordedTask, Recorder};
pub use backend::{Backend, BackendFuture};
#[cfg(feature = "local")]
#[cfg_attr(docsrs, doc(cfg(feature = "local")))]
pub use builder::Embedded;
pub use builder::{Configured, InProcess, Recorded, RuntimeBuilder};
pub use bulk::{BulkProgress, EnqueueAll};
pub use cloud_tasks_macros::{Model, task};
pub use commit::{CommitHooks, Transactional, UnsentError};
pub use config::{Config, RetrySettings};
pub use context::Context;
pub use dead::{Dead, DeadCause};
#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use dead::{DeadList, DeadTask, DeadTasks, LeftDead, ListDead, Replay, Replayed};
pub use enqueue::{Enqueue, SyncRun, When};
pub use envelope::{Enqueued, Envelope};
pub use error::{BoxError, Error, ErrorKind};
pub use event::Event;
pub use filter::{Filter, FilterError};
pub use idempotency::{Claim, ClaimToken, IdempotencyKey, IdempotencyStore, MemoryStore, Once, StoreFuture};
pub use message::Message;
pub use metadata::TaskMetadata;
pub use model::{Model, ModelPublisherTask, Prepared};
pub use operations::{DiscardFailure, DiscardReport, DiscardTasks, Queue, QueuedTasks, Tasks};
pub use outcome::{Discard, OrDiscard, RetryAfter, TaskError, TaskResult};
pub use periodic::PeriodicTask;
pub use publication::{Attributes, Publication};
pub use publish::{Publish, PublishNow};
pub use publisher::PublisherTask;
pub use queue::QueueSettings;
pub use queued::{LastAttempt, QueueInfo, QueueState, QueuedTask};
pub use registered::{RegisteredKind, RegisteredTask};
pub use runtime::Runtime;
pub use schedule::Schedule;
#[cfg(feature = "serve")]
#[cfg_attr(docsrs, doc(cfg(feature = "serve")))]
pub use serve::{Serve, ServeBody};
pub use service::{TaskFuture, TaskLayer, TaskLayerService, TaskService};
#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use setup::{
    Action, Change, Failure, FieldChange, HeldBack, Plan, ResourceKind, SetUpError, SetUpReport, Setup,
};
pub use subscriber::SubscriberTask;
pub use subscription::Subscription;
pub use task::{Registered, Task};
pub use topic::Topic;
#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use verify::Callers;

/// What `#[task]` writes code against; not for use by hand, and free to change.
#[doc(hidden)]
pub mod __private {
    pub use crate::periodic::{DefaultPayload, IntoPayload};
    pub use crate::registry::{Linked, Registration};
    pub use crate::schedule::ScheduleOptions;
    pub use crate::state::{Resolved, Resolver};
    pub use crate::subscriber::parse_json;
    pub use crate::unique::{UniqueFields, UniqueOptions};
    pub use inventory;
}

/// The README's code, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
