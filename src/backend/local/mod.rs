//! A Cloud Tasks and a Pub/Sub of our own, in this process: the Cloud Tasks emulator on a thread with its own tokio, called
//! through the same client as Google; and on top of it the delivery of messages to the subscriptions of the runtime.
//!
//! A message that is published becomes one task of the emulator for every subscription that wants it. The emulator has the
//! schedule, the backoff and the key that signs tokens; it calls the relay, which pushes as Pub/Sub would. Runs of schedules
//! go the same way, and the relay makes the requests of Cloud Scheduler.

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
