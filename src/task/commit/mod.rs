//! Sending tasks and messages only after a transaction has committed.

mod cut_off;
mod unsent;

#[doc(hidden)]
pub use cut_off::InDoubt;
pub use unsent::UnsentError;

use std::fmt;

use crate::base::{BoxError, Error};
use crate::runtime::{Outgoing, RunToEnd, Runtime, Scope};
use crate::task::commit::cut_off::{Progress, log_orphaned};

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
/// They exist in this process only: if it dies between the commit and the sending, they are lost. If only the caller goes,
/// because its client hangs up and the request is dropped, they are sent all the same: see
/// [`commit_with`](Self::commit_with).
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
#[doc(alias("outbox", "transaction"))]
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
    /// A failure does not stop the rest, which may therefore overtake it, even within one ordering key.
    ///
    /// If this future is dropped halfway, for example because a client hangs up, the rest is sent in a task of its own, which
    /// [`serve`](crate::Runtime#method.serve) and [`flush`](Runtime::flush) wait for; what cannot be sent is logged. A commit
    /// that is awaited before has no such protection: use [`commit_with`](Self::commit_with).
    ///
    /// # Errors
    ///
    /// If something was not sent. The error contains exactly that, to be sent again; everything else was sent.
    pub async fn run(self) -> Result<(), UnsentError> {
        if self.is_empty() {
            return Ok(());
        }
        let runtimes = self.runtimes();
        RunToEnd::new(runtimes, self.send(), log_orphaned).await
    }

    /// Runs a commit and what follows it to the end, also if this future is dropped halfway, for example because a client
    /// hangs up.
    ///
    /// A request that is dropped during its `COMMIT` may be committed, and would send nothing. So the commit that you pass,
    /// which is given the hooks, goes on in a task of its own then, which [`serve`](crate::Runtime#method.serve) and
    /// [`flush`](Runtime::flush) wait for; an error is logged. It runs in the caller until then. Without hooks there is
    /// nothing to lose, and the commit is dropped with the caller.
    ///
    /// Outside of tokio, and if tokio shuts down, it ends with the caller, and what may be lost is logged.
    ///
    /// # Errors
    ///
    /// Those of your commit.
    ///
    /// ```
    /// use cloud_tasks::commit::CommitHooks;
    /// use cloud_tasks::{BoxError, Context, Runtime, Task, TaskResult, task};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct SendGiftCard { order_id: u64 }
    ///
    /// #[task]
    /// impl Task for SendGiftCard {
    ///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// }
    ///
    /// # struct Connection;
    /// # impl Connection { async fn commit(self) -> Result<(), BoxError> { Ok(()) } }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let (runtime, recorder) = Runtime::recorded().build().await?;
    /// # let connection = Connection;
    /// let mut hooks = CommitHooks::new();
    /// SendGiftCard { order_id: 7 }.asap().on(&runtime).on_commit(&mut hooks)?;
    /// let committed: Result<(), BoxError> = hooks
    ///     .commit_with(|hooks| async move {
    ///         connection.commit().await?;
    ///         hooks.run().await?;
    ///         Ok(())
    ///     })
    ///     .await;
    /// committed?;
    /// recorder.assert_enqueued::<SendGiftCard>(|voucher| voucher.order_id == 7);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn commit_with<T, E, F>(self, commit: impl FnOnce(Self) -> F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Into<BoxError> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        if self.is_empty() {
            return commit(self).await;
        }
        let (runtimes, in_doubt) = (self.runtimes(), self.__in_doubt());
        let commit = commit(self);
        let commit = async move {
            let outcome = commit.await;
            in_doubt.is_over();
            outcome
        };
        RunToEnd::new(runtimes, commit, log_orphaned).await
    }

    /// Reports these hooks as lost if the returned value is dropped before it [is over](InDoubt::is_over): for a commit on
    /// a borrowed connection, which cannot outlive its caller.
    #[doc(hidden)]
    pub fn __in_doubt(&self) -> InDoubt {
        InDoubt::new(self.len())
    }

    async fn send(self) -> Result<(), UnsentError> {
        let mut progress = Progress::new(self.len());
        let mut unsent = Self::new();
        let mut errors = Vec::new();
        for hook in self.hooks {
            if let Err(error) = hook.send().await {
                unsent.hooks.push(hook);
                errors.push(error);
            }
            progress.left -= 1;
        }
        if errors.is_empty() {
            return Ok(());
        }
        Err(UnsentError {
            unsent,
            errors,
            total: progress.total,
        })
    }

    /// The runtimes that send something; usually one.
    fn runtimes(&self) -> Vec<Runtime> {
        let mut runtimes: Vec<Runtime> = Vec::new();
        for Hook { scope, .. } in &self.hooks {
            if !runtimes.iter().any(|known| known.is(&scope.runtime)) {
                runtimes.push(scope.runtime.clone());
            }
        }
        runtimes
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
