//! Cloud Tasks and Pub/Sub in this process. The Cloud Tasks emulator runs on a thread with its own tokio runtime and is
//! called through the same client as Google; the delivery of messages to the runtime's subscriptions is built on top of
//! it.
//!
//! A published message becomes one task of the emulator per matching subscription. The emulator provides the schedule,
//! the backoff and the key that signs tokens. It calls the relay, which pushes as Pub/Sub would. Runs of schedules go
//! the same way; the relay then makes the requests of Cloud Scheduler.

mod backend;
mod dead_letters;
mod emulator;
mod engine;
mod pubsub;
mod push_queue;
mod queue_admin;
mod relay;
mod scheduler;
mod unacked;

pub use engine::LocalEngine;
