//! Sending tasks and messages only after a transaction has committed.

use std::error::Error as StdError;
use std::fmt;

use crate::base::Error;
use crate::runtime::{Outgoing, Scope};

/// A transaction with commit hooks: [`CommitHooks`], or a wrapper of a database transaction.
///
/// To implement it for a wrapper of your own, return its hooks, [run](CommitHooks::run) them after a successful commit,
/// and drop them otherwise. The crate `cloud-tasks-sqlx` has such a wrapper for sqlx.
///
/// ```
/// use cloud_tasks::commit::{CommitHooks, Transactional};
///
/// struct UnitOfWork { hooks: CommitHooks }
///
/// impl Transactional for UnitOfWork {
///     fn commit_hooks(&mut self) -> &mut CommitHooks { &mut self.hooks }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no commit hooks",
    note = "use the `Transaction` of the crate `cloud-tasks-sqlx`, or pass `&mut CommitHooks` and run them after the commit"
)]
pub trait Transactional {
    /// Returns the hooks.
    fn commit_hooks(&mut self) -> &mut CommitHooks;
}

impl Transactional for CommitHooks {
    fn commit_hooks(&mut self) -> &mut CommitHooks {
        self
    }
}

impl<T: Transactional + ?Sized> Transactional for &mut T {
    fn commit_hooks(&mut self) -> &mut CommitHooks {
        (**self).commit_hooks()
    }
}

/// Tasks and messages that wait for a transaction to commit, for any database.
///
/// [`Enqueue::on_commit`](crate::task::Enqueue::on_commit), `sync_on_commit` and `asap_on_commit` add them: encoded and
/// checked, with the runtime and the propagated headers of that moment. Call [`run`](Self::run) after your commit to
/// send them. Dropping the hooks sends nothing, which is right after a rollback.
///
/// They exist in this process only: if it dies between the commit and the sending, they are lost.
///
/// ```
/// use cloud_tasks::commit::CommitHooks;
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct SendTicket { order_id: u64 }
///
/// #[task]
/// impl Task for SendTicket {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// let mut hooks = CommitHooks::new();
/// // .. begin, insert the order ..
/// SendTicket { order_id: 7 }.asap().queue("receipts").on(&runtime).on_commit(&mut hooks)?;
/// // .. commit ..
/// assert!(recorder.envelopes().is_empty());
/// hooks.run().await?;
/// recorder.assert_enqueued::<SendTicket>(|receipt| receipt.order_id == 7);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
#[must_use = "nothing is sent until they are run"]
pub struct CommitHooks {
    hooks: Vec<Hook>,
}

struct Hook {
    scope: Scope,
    outgoing: Outgoing,
}

impl CommitHooks {
    /// Creates empty hooks.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of waiting tasks and messages.
    pub fn len(&self) -> usize {
        self.hooks.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.hooks.is_empty()
    }

    /// Appends other hooks: those of a savepoint, when it is released.
    pub fn append(&mut self, mut others: Self) {
        self.hooks.append(&mut others.hooks);
    }

    pub(crate) fn add(&mut self, scope: Scope, outgoing: Outgoing) {
        self.hooks.push(Hook { scope, outgoing });
    }

    /// Sends everything, one after the other, in the order it was added. Call it after the commit.
    ///
    /// A failure does not stop the rest, which may therefore overtake it, even within one ordering key. Await it to its
    /// end: dropping the future halfway loses what is not yet sent.
    ///
    /// # Errors
    ///
    /// If something was not sent. The error contains exactly that, to be sent again; everything else was sent.
    pub async fn run(self) -> Result<(), UnsentError> {
        let total = self.len();
        let mut unsent = Self::new();
        let mut errors = Vec::new();
        for hook in self.hooks {
            if let Err(error) = hook.send().await {
                unsent.hooks.push(hook);
                errors.push(error);
            }
        }
        if errors.is_empty() {
            return Ok(());
        }
        Err(UnsentError {
            unsent,
            errors,
            total,
        })
    }
}

impl Hook {
    async fn send(&self) -> Result<(), Error> {
        self.outgoing.clone().send(&self.scope.runtime).await
    }
}

impl fmt::Debug for CommitHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.hooks.iter().map(|hook| &hook.outgoing))
            .finish()
    }
}

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
    unsent: CommitHooks,
    errors: Vec<Error>,
    total: usize,
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
