//! A Cloud Tasks and a Pub/Sub of our own, in this process: the Cloud Tasks emulator on a thread with its own tokio, called
//! through the same client as Google; and on top of it the delivery of messages to the subscriptions of the runtime.
//!
//! A message that is published becomes one task of the emulator for every subscription that wants it. The emulator has the
//! schedule, the backoff and the key that signs tokens; it calls the relay, which pushes as Pub/Sub would. Runs of schedules
//! go the same way, and the relay makes the requests of Cloud Scheduler.

pub(crate) mod backend;
pub(crate) mod dead_letters;
pub(crate) mod emulator;
pub(crate) mod engine;
pub(crate) mod pubsub;
pub(crate) mod push_queue;
pub(crate) mod queue_admin;
pub(crate) mod relay;
pub(crate) mod scheduler;
pub(crate) mod unacked;

pub use engine::LocalEngine;
