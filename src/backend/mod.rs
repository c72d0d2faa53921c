//! Backends: the interface between the library and a queue.

#[cfg(feature = "google")]
mod dead_letter_store;
mod delivery;
mod eager;
#[cfg(feature = "google")]
pub(crate) mod google;
#[cfg(feature = "local")]
pub(crate) mod local;
mod nesting;
#[cfg(not(feature = "google"))]
mod no_google;
mod queue_admin;
#[cfg(feature = "google")]
mod relay_url;
#[cfg(feature = "google")]
mod services;
mod used_ids;

pub use crate::base::Envelope;
pub use crate::base::RetrySettings;
pub use crate::base::ServiceEndpoint;
#[cfg(feature = "google")]
#[cfg_attr(docsrs, doc(cfg(feature = "google")))]
pub use google::Google;
#[cfg(feature = "local")]
#[cfg_attr(docsrs, doc(cfg(feature = "local")))]
pub use local::LocalEngine;

use std::pin::Pin;

use crate::base::{Enqueued, Error, Publication};

#[cfg(feature = "google")]
pub(crate) use dead_letter_store::{Claim, Closed, DeadLetter, DeadLetterReader, NextLetter};
pub(crate) use delivery::{Connect, Connected, Delivery, Link};
pub(crate) use eager::Eager;
#[cfg(feature = "testing")]
pub(crate) use google::SimulatedGoogle;
pub(crate) use nesting::run as run_nested;
#[cfg(not(feature = "google"))]
pub(crate) use no_google::{Google, Services};
pub(crate) use queue_admin::{Page, QueueOperations, View};
#[cfg(feature = "google")]
pub(crate) use services::Services;
pub(crate) use used_ids::UsedIds;

/// Where tasks are sent: Google, the local engine, this process, or a recorder.
///
/// A backend sees only [`Envelope`]s that were checked against the limits. Implement it for a queue of your own:
///
/// ```standalone_crate
/// use cloud_tasks::backend::{Backend, BackendFuture, Envelope};
/// use cloud_tasks::task::Enqueued;
/// use cloud_tasks::{Error, Runtime};
///
/// #[derive(Debug)]
/// struct Printer;
///
/// impl Backend for Printer {
///     fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
///         Box::pin(async move {
///             println!("{} goes to {}", envelope.task(), envelope.queue());
///             Ok(Enqueued::new(envelope.queue(), "printed"))
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let runtime = Runtime::builder().backend(Printer).allow_unauthenticated().build().await?;
/// # let _ = runtime;
/// # Ok(())
/// # }
/// ```
pub trait Backend: Send + Sync + 'static {
    /// Creates a task.
    ///
    /// # Errors
    ///
    /// If the task was not accepted, or if that is unknown: [`Error::may_have_taken_effect`] says which.
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_>;

    /// Publishes a message, and returns its id. The default rejects every message.
    ///
    /// # Errors
    ///
    /// If the message was not published, or if that is unknown.
    fn publish(&self, publication: Publication) -> BackendFuture<'_, String> {
        let topic = publication.topic().to_owned();
        Box::pin(async move {
            Err(Error::rejected(format!(
                "the message to topic {topic} was not published: this backend does not publish"
            )))
        })
    }

    /// Sends what is not yet sent; called when a runtime is [flushed](crate::Runtime::flush).
    fn flush(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {})
    }
}

/// The future that a [`Backend`] returns.
pub type BackendFuture<'a, T = Enqueued> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;
