//! The base of the crate: errors, settings, names, JSON, time and the wire types.

mod attempt_text;
mod clock;
mod config;
mod context;
mod error;
mod fixed_hash;
mod future;
#[cfg(feature = "google")]
pub(crate) mod http_client;
mod invalid;
pub(crate) mod json;
mod metadata;
pub(crate) mod names;
mod outcome;
pub(crate) mod process;
#[cfg(feature = "google")]
mod recent;
mod state;
pub(crate) mod text;
pub(crate) mod time;
mod wire;

pub(crate) use attempt_text::{AttemptText, TurnedAway};
pub(crate) use clock::Clock;
#[cfg(feature = "google")]
pub(crate) use config::without_user;
pub use config::{Config, HeaderPlacement, RetrySettings, RunMode, ServiceEndpoint};
pub(crate) use config::{host_port, is_loopback, service_variable, uncallable_endpoint, validate_service};
pub use context::Context;
pub use error::{BoxError, Error, ErrorKind};
pub(crate) use fixed_hash::FixedHash;
pub(crate) use future::BoxFuture;
pub(crate) use invalid::Invalid;
pub use metadata::TaskMetadata;
pub(crate) use metadata::{creation_header, job_headers, timeout_header};
pub use outcome::{Discard, OrDiscard, RetryAfter, TaskError, TaskResult};
pub(crate) use outcome::{acknowledges, in_subscriber};
#[cfg(feature = "google")]
pub(crate) use recent::{Recent, SharedRecent};
pub(crate) use state::States;
pub use state::{Resolved, Resolver};
#[cfg(feature = "google")]
pub use wire::DeadTask;
pub use wire::{
    Attributes, Dead, DeadCause, Enqueued, Envelope, LastAttempt, Publication, QueueInfo, QueueState,
    QueuedTask,
};
pub(crate) use wire::{
    ForwardedMessage, MessageIdentity, Push, QueuedTaskParts, dead_record, headers, limits, own_header,
    propagation,
};
