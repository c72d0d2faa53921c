//! What travels: envelopes, messages, pushes, queued and dead tasks.

pub(crate) mod dead;
pub(crate) mod dead_record;
#[cfg(feature = "google")]
pub(crate) mod dead_task;
pub(crate) mod envelope;
pub(crate) mod headers;
pub(crate) mod limits;
pub(crate) mod propagation;
pub(crate) mod publication;
pub(crate) mod push;
pub(crate) mod queue_info;
pub(crate) mod queued_json;
pub(crate) mod queued_task;
