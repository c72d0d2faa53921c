//! Cloud Tasks, Pub/Sub and Cloud Scheduler in this process.
//!
//! The Cloud Tasks emulator runs on its own thread with its own tokio runtime, and is called through the same client as
//! Google. A published message becomes one task of the emulator for each subscription whose filter matches. The emulator
//! provides the schedule, the backoff and the key that signs tokens; it calls the relay, which sends the request of Pub/Sub.
//! Runs of schedules work in the same way: the relay sends the request of Cloud Scheduler. The guard checks each request
//! before it reaches the emulator.

mod backend;
mod dead_letters;
mod emulator;
mod engine;
mod guard;
mod instance;
mod publish_api;
mod pubsub;
mod pull_api;
mod push_queue;
mod queue_admin;
mod record;
mod relay;
mod relayed_task;
mod scheduler;
mod unacked;

pub(crate) use backend::LocalBackend;
pub use engine::LocalEngine;
pub(crate) use instance::Instance;
