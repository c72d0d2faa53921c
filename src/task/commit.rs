//! What is sent only after a transaction has committed.

use std::error::Error as StdError;
use std::fmt;

use crate::base::Error;
use crate::runtime::{Outgoing, Scope};

/// What keeps the hooks of a transaction: [`CommitHooks`], or a wrapper of a transaction that runs them.
///
/// Write it for a wrapper of your own: give out its hooks, [run](CommitHooks::run) them once the commit has succeeded, and
/// drop them where it has not. The crate `cloud-tasks-sqlx` has such a wrapper for sqlx.
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
    message = "nothing is known of when `{Self}` commits",
    note = "use the `Transaction` of the crate `cloud-tasks-sqlx`, or pass `&mut CommitHooks` and run them after the commit"
)]
pub trait Transactional {
    /// The hooks, to which another is added.
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

/// Tasks and messages that wait for a transaction to commit, whichever its database.
///
/// [`Enqueue::on_commit`](crate::task::Enqueue::on_commit), `sync_on_commit` and `asap_on_commit` put them here: encoded and
/// checked, with the runtime and the propagated headers of that moment. [`run`](Self::run) sends them; call it after your
/// commit. Dropped, they send nothing, which is what a rollback wants.
///
/// They are kept in this process alone: one that dies between the commit and the sending loses them.
///
/// ```standalone_crate
/// use cloud_tasks::commit::CommitHooks;
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct SendReceipt { order_id: u64 }
///
/// #[task]
/// impl Task for SendReceipt {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// let mut hooks = CommitHooks::new();
/// // .. begin, insert the order ..
/// SendReceipt { order_id: 7 }.asap().queue("receipts").on(&runtime).on_commit(&mut hooks)?;
/// // .. commit ..
/// assert!(recorder.envelopes().is_empty());
/// hooks.run().await?;
/// recorder.assert_enqueued::<SendReceipt>(|receipt| receipt.order_id == 7);
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
    /// No hooks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many tasks and messages wait.
    pub fn len(&self) -> usize {
        self.hooks.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.hooks.is_empty()
    }

    /// Takes over other hooks, behind its own: those of a savepoint, once it is released.
    pub fn append(&mut self, mut others: Self) {
        self.hooks.append(&mut others.hooks);
    }

    pub(crate) fn add(&mut self, scope: Scope, outgoing: Outgoing) {
        self.hooks.push(Hook { scope, outgoing });
    }

    /// Sends everything, one after the other and in the order in which it was added; call it after the commit.
    ///
    /// One that fails does not stop those behind it, which may thus overtake it, also within one ordering key. Await it to
    /// its end: a future that is dropped halfway loses what it has not sent.
    ///
    /// # Errors
    ///
    /// When something was not sent. The error holds exactly that, to be sent again; everything else was sent.
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

/// The transaction is committed, but something was not sent; this holds it.
///
/// A task is sent again under the id that it got when it was added, so that a second try after an unclear answer makes no
/// second task. A message that was published inline has no such id: where its
/// [error](Error::may_have_taken_effect) was unclear, a second try may publish it twice.
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
///     assert_eq!(unsent.to_string(), "the transaction is committed, but 1 of 1 was not sent after it");
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
    /// What went wrong, an error for each that was not sent, in the order in which they were added; never empty.
    pub fn errors(&self) -> &[Error] {
        &self.errors
    }

    /// Gives back what was not sent, in the order in which it was added.
    pub fn into_unsent(self) -> CommitHooks {
        self.unsent
    }

    /// Sends again what was not sent.
    ///
    /// # Errors
    ///
    /// When something was not sent this time either; the error holds it.
    pub async fn retry(self) -> Result<(), Self> {
        self.unsent.run().await
    }
}

impl fmt::Display for UnsentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unsent, total) = (self.unsent.len(), self.total);
        let were = if unsent == 1 { "was" } else { "were" };
        write!(
            f,
            "the transaction is committed, but {unsent} of {total} {were} not sent after it"
        )
    }
}

impl StdError for UnsentError {
    /// The first of the [errors](Self::errors).
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.errors.first().map(|error| error as _)
    }
}
