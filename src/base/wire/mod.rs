//! The wire types: envelopes, messages, pushes, queued and dead tasks.

mod dead;
pub(crate) mod dead_record;
#[cfg(feature = "google")]
mod dead_task;
mod envelope;
pub(crate) mod headers;
pub(crate) mod limits;
pub(crate) mod propagation;
mod publication;
mod push;
mod queue_info;
mod queued_json;
mod queued_task;

pub use dead::{Dead, DeadCause};
#[cfg(feature = "google")]
pub use dead_task::DeadTask;
pub use envelope::{Enqueued, Envelope};
pub(crate) use headers::own_header;
pub use publication::{Attributes, Publication};
pub(crate) use push::{ForwardedMessage, MessageIdentity, Push};
pub use queue_info::{QueueInfo, QueueState};
pub(crate) use queued_task::QueuedTaskParts;
pub use queued_task::{LastAttempt, QueuedTask};
