//! The error of what could not be sent after a commit.

use std::error::Error as StdError;
use std::fmt;

use crate::base::Error;
use crate::task::commit::CommitHooks;

/// The transaction committed, but some tasks or messages were not sent; the error contains them.
///
/// A task is sent again with the id that it got when it was added, so a retry after an unclear response does not create
/// a second task. A message that is published inline has no such id: if its [error](Error::may_have_taken_effect) was
/// unclear, a retry may publish it twice.
///
/// ```standalone_crate
/// # use cloud_tasks::backend::{Backend, BackendFuture, Envelope};
/// # use cloud_tasks::commit::CommitHooks;
/// # use cloud_tasks::event::Publication;
/// # use cloud_tasks::task::Enqueued;
/// # use cloud_tasks::{Error, PublisherTask, Runtime};
/// # use serde::{Deserialize, Serialize};
/// # use std::sync::atomic::{AtomicBool, Ordering};
/// # #[derive(Serialize, Deserialize)]
/// # struct OrderPaid { order_id: u64 }
/// # #[cloud_tasks::task]
/// # impl PublisherTask for OrderPaid {}
/// # struct Shaky(AtomicBool);
/// # impl Backend for Shaky {
/// #     fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
/// #         Box::pin(async move { Ok(Enqueued::new(envelope.queue(), "1")) })
/// #     }
/// #     fn publish(&self, _publication: Publication) -> BackendFuture<'_, String> {
/// #         let worked = self.0.swap(true, Ordering::Relaxed);
/// #         Box::pin(async move { worked.then(|| "1".to_owned()).ok_or_else(|| Error::rejected("not now")) })
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().backend(Shaky(AtomicBool::new(false))).allow_unauthenticated().build().await?;
/// # let mut hooks = CommitHooks::new();
/// # OrderPaid { order_id: 7 }.sync().on(&runtime).on_commit(&mut hooks)?;
/// if let Err(unsent) = hooks.run().await {
///     assert_eq!(unsent.to_string(), "transaction committed, but 1 of 1 messages could not be sent");
///     unsent.retry().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct UnsentError {
    pub(super) unsent: CommitHooks,
    pub(super) errors: Vec<Error>,
    pub(super) total: usize,
}

impl UnsentError {
    /// The errors, one per unsent task or message, in the order they were added; never empty.
    pub fn errors(&self) -> &[Error] {
        &self.errors
    }

    /// Returns what was not sent, in the order it was added.
    pub fn into_unsent(self) -> CommitHooks {
        self.unsent
    }

    /// Sends again what was not sent.
    ///
    /// # Errors
    ///
    /// If something was not sent this time either; the error contains it.
    pub async fn retry(self) -> Result<(), Self> {
        self.unsent.run().await
    }
}

impl fmt::Display for UnsentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unsent, total) = (self.unsent.len(), self.total);
        write!(
            f,
            "transaction committed, but {unsent} of {total} messages could not be sent"
        )
    }
}

impl StdError for UnsentError {
    /// The first of the [errors](Self::errors).
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.errors.first().map(|error| error as _)
    }
}
