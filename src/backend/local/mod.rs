//! Cloud Tasks and Pub/Sub in this process. The Cloud Tasks emulator runs on a thread with its own tokio runtime and is
//! called through the same client as Google; the delivery of messages to the runtime's subscriptions is built on top of
//! it.
//!
//! A message that is published becomes one task of the emulator for every subscription that wants it. The emulator has the
//! schedule, the backoff and the key that signs tokens; it calls the relay, which pushes as Pub/Sub would. Runs of schedules
//! go the same way, and the relay makes the requests of Cloud Scheduler. The guard stands in front of the emulator.

mod backend;
mod dead_letters;
mod emulator;
mod engine;
mod guard;
mod pubsub;
mod push_queue;
mod queue_admin;
mod relay;
mod scheduler;
mod unacked;

pub use engine::LocalEngine;
