//! Deterministic simulation: a test runs with many seeds, and each is another order of events.
//!
//! A simulated Cloud Tasks, Pub/Sub and Cloud Scheduler drive the real runtime, the real service and its verification of callers,
//! your stores and your handlers, on one thread and in virtual time. The seed decides what the cloud, the network and the machines
//! do: see [`Fault`]. A seed that fails is run again with fewer faults, until only those are left that matter, and then reported
//! with its history.
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU32, Ordering};
//!
//! use cloud_tasks::runtime::idempotency::MemoryStore;
//! use cloud_tasks::testing::simulate;
//! use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Default)]
//! struct Bank { charges: Arc<AtomicU32> }
//!
//! #[derive(Serialize, Deserialize)]
//! struct ChargeSimulated { invoice: u64 }
//!
//! #[task]
//! impl Task for ChargeSimulated {
//!     async fn run(self, cx: Context<Bank>) -> TaskResult {
//!         cx.state().charges.fetch_add(1, Ordering::Relaxed);
//!         Ok(())
//!     }
//! }
//!
//! simulate(50, async |cloud| {
//!     let bank = Bank::default();
//!     let shop = cloud.service("shop", {
//!         let bank = bank.clone();
//!         move || Runtime::simulated().state(bank.clone())
//!     });
//!     shop.instances(2).run(ChargeSimulated { invoice: 7 }.asap()).await?;
//!     cloud.settle().await;
//!     // Cloud Tasks delivers at least once, so `== 1` would fail.
//!     assert!(bank.charges.load(Ordering::Relaxed) >= 1);
//!     Ok(())
//! });
//! # let _ = MemoryStore::new();
//! ```
//!
//! # What holds in every history
//!
//! Whatever the test asserts, a run fails if
//!
//! * a task or a message is acknowledged, and no handler, no hook and no record of the idempotency store has ended it;
//! * one call of `asap()` creates two tasks;
//! * a task is created while its name is in use, or within an hour of its end;
//! * an effect is claimed again after its end was recorded;
//! * a task dies by its own limit before it is recorded to its dead-letter topic, or before its hook has run;
//! * a message is handled while an earlier one of its ordering key has no end;
//! * the cloud does not settle: a task or a message has no end.
//!
//! # What makes a test deterministic
//!
//! Handlers take the time from [`Context::now`](crate::Context::now), randomness from [`Context::random`](crate::Context::random),
//! and sleep with `tokio::time`. They spawn with [`Runtime::spawn`](crate::Runtime::spawn): what `tokio::spawn` starts survives the
//! death of its process. They use no network, no files that others change, no threads, no order of a `HashMap`, and `biased;` in
//! `tokio::select!`. Every 16th seed is run twice, and the run fails with the first step that differs.

mod api;
mod backend;
mod checks;
mod choices;
mod cloud;
mod delivery;
mod dispatch;
mod handler;
mod history;
mod instance;
mod keys;
mod plans;
mod publish;
mod pubsub;
mod queue;
mod queue_admin;
mod run;
mod scheduler;
mod service;
mod simulate;
mod store;
mod tasks;
mod world;

pub use backend::Simulated;
pub use choices::Fault;
pub use cloud::Cloud;
pub use history::{Event, History, Step};
pub use service::Service;
pub use simulate::{Failure, Report, Simulation, simulate};
