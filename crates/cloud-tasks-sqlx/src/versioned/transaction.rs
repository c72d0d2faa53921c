//! A transaction that sends after its commit.

use std::error::Error as StdError;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;

use cloud_tasks::commit::{CommitHooks, Transactional, UnsentError};

use super::errors::{is_answer, is_ended};
use super::sqlx::{self, Connection, Database, Error, Executor, Pool};

/// Stands from the begin to the commit, unless the transaction ends in between: the databases report that in no other way. After a
/// deadlock, a `ROLLBACK`, a `COMMIT` or a statement that commits implicitly, they accept a `COMMIT` of nothing.
const SAVEPOINT: &str = "SAVEPOINT cloud_tasks_begin";
const RELEASE: &str = "RELEASE SAVEPOINT cloud_tasks_begin";

/// The future of a `COMMIT` that borrows nothing.
type Commit = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// The error of a statement at the end of a transaction.
enum Failure {
    /// The `COMMIT` was not sent.
    BeforeCommit(Error),
    AtCommit(Error),
}

/// A transaction that sends tasks and messages after its commit.
///
/// Like sqlx's own, it dereferences to the connection: pass `&mut *tx` to queries, and
/// [`as_sqlx`](Self::as_sqlx) to functions that take sqlx's type. If you drop it, it rolls back and sends nothing.
///
/// See [Send after a commit](crate#send-after-a-commit) for examples.
pub struct Transaction<'c, DB: Database> {
    inner: sqlx::Transaction<'c, DB>,
    hooks: CommitHooks,
    /// For a savepoint: the hooks of the transaction around it, which get those of the savepoint when it commits.
    outer: Option<&'c mut CommitHooks>,
    /// For a connection of a pool: commits without borrowing anything, so that the commit can outlive its caller.
    detachable: Option<fn(sqlx::Transaction<'c, DB>) -> Commit>,
}

impl<DB: Database> Transaction<'static, DB> {
    /// Begins a transaction on a connection of a pool.
    ///
    /// # Errors
    ///
    /// If sqlx cannot begin the transaction.
    pub async fn begin(pool: &Pool<DB>) -> Result<Self, Error>
    where
        for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
    {
        Self::of_pool(pool.begin().await?).await
    }

    /// Begins a transaction with another statement than `BEGIN`, such as `BEGIN IMMEDIATE`.
    ///
    /// # Errors
    ///
    /// If sqlx cannot begin the transaction.
    pub async fn begin_with(pool: &Pool<DB>, statement: &'static str) -> Result<Self, Error>
    where
        for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
    {
        Self::of_pool(pool.begin_with(statement).await?).await
    }

    async fn of_pool(inner: sqlx::Transaction<'static, DB>) -> Result<Self, Error>
    where
        for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
    {
        Ok(Self {
            detachable: Some(|inner| Box::pin(finish(inner))),
            ..Self::new(inner).await?
        })
    }
}

impl<'c, DB: Database> Transaction<'c, DB> {
    /// Begins a transaction on a connection.
    ///
    /// # Errors
    ///
    /// If sqlx cannot begin the transaction, or if the connection is in a transaction already: the end of that one decides
    /// whether anything is committed. Nothing was begun.
    pub async fn begin_on<C: Connection<Database = DB>>(connection: &'c mut C) -> Result<Self, Error>
    where
        for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
    {
        if connection.is_in_transaction() {
            return Err(Error::Configuration(
                "the connection is in a transaction already, whose end decides what is committed: begin that one with \
                 the `Transaction` of cloud-tasks-sqlx, and this one with its `savepoint()`"
                    .into(),
            ));
        }
        Self::new(connection.begin().await?).await
    }

    async fn new(mut inner: sqlx::Transaction<'c, DB>) -> Result<Self, Error>
    where
        for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
    {
        inner.execute(SAVEPOINT).await?;
        Ok(Self {
            inner,
            hooks: CommitHooks::new(),
            outer: None,
            detachable: None,
        })
    }

    /// Begins a savepoint, whose tasks and messages are sent if both it and this transaction commit.
    ///
    /// See [Send after a commit](crate#send-after-a-commit) for an example.
    ///
    /// # Errors
    ///
    /// If the database refuses. No savepoint was made.
    pub async fn savepoint(&mut self) -> Result<Transaction<'_, DB>, Error> {
        Ok(Transaction {
            inner: self.inner.begin().await?,
            hooks: CommitHooks::new(),
            outer: Some(&mut self.hooks),
            detachable: None,
        })
    }

    /// Commits the transaction, and then sends its tasks and messages in the order in which they were added.
    ///
    /// If this future is dropped halfway, for example because a client hangs up, the commit and the sending go on in a task of
    /// their own, which [`serve`](cloud_tasks::Runtime#method.serve) and [`flush`](cloud_tasks::Runtime::flush) wait for;
    /// an error is logged. A transaction that was [begun on a connection](Self::begin_on) borrows it, so this goes only
    /// for its sending: dropped during the `COMMIT` itself it may be committed, sends nothing, and logs that.
    ///
    /// Databases accept a `COMMIT` of a transaction that is no more, and `PostgreSQL` turns one that follows a failed
    /// statement into a rollback. So the transaction begins with a savepoint, which is released first: that succeeds only
    /// in the transaction that was begun, whole.
    ///
    /// # Errors
    ///
    /// If a statement of the transaction failed, if the transaction has ended already, or if the commit or the sending fails;
    /// [`CommitError`] tells which. Only in the last case was anything sent.
    pub async fn commit(self) -> Result<(), CommitError>
    where
        for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
    {
        let Self {
            inner,
            hooks,
            outer,
            detachable,
        } = self;
        if let Some(outer) = outer {
            // The transaction around it decides, and it is dropped with the caller.
            if let Err(source) = inner.commit().await {
                return Err(CommitError::new(Failure::BeforeCommit(source), hooks));
            }
            outer.append(hooks);
            return Ok(());
        }
        if let Some(commit) = detachable {
            let commit = commit(inner);
            return hooks
                .commit_with(|hooks| async move { send_after(commit.await, hooks).await })
                .await;
        }
        let in_doubt = hooks.__in_doubt();
        let committed = finish(inner).await;
        in_doubt.is_over();
        send_after(committed, hooks).await
    }

    /// Rolls the transaction back and sends nothing.
    ///
    /// # Errors
    ///
    /// If the database does not answer. The transaction ends with its connection then, and nothing was sent.
    pub async fn rollback(self) -> Result<(), Error> {
        self.inner.rollback().await
    }

    /// The transaction of sqlx inside this one.
    pub fn as_sqlx(&mut self) -> &mut sqlx::Transaction<'c, DB> {
        &mut self.inner
    }
}

/// Commits a transaction, if it is still the one that was begun.
async fn finish<DB: Database>(mut inner: sqlx::Transaction<'_, DB>) -> Result<(), Failure>
where
    for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
{
    if let Err(source) = inner.execute(RELEASE).await {
        if is_ended(&source) {
            // Another transaction may have been begun in its place: nothing of that is committed. And sqlx counts the
            // transaction as open until a ROLLBACK succeeds, which on SQLite needs a transaction. Whatever fails here,
            // the error to report is the first.
            let _ = inner.execute("ROLLBACK").await;
            let _ = inner.execute("BEGIN").await;
            let _ = inner.rollback().await;
        }
        return Err(Failure::BeforeCommit(source));
    }
    inner.commit().await.map_err(Failure::AtCommit)
}

/// Sends what waited for a commit.
async fn send_after(committed: Result<(), Failure>, hooks: CommitHooks) -> Result<(), CommitError> {
    match committed {
        Ok(()) => Ok(hooks.run().await?),
        Err(failure) => Err(CommitError::new(failure, hooks)),
    }
}

impl<DB: Database> Transactional for Transaction<'_, DB> {
    fn commit_hooks(&mut self) -> &mut CommitHooks {
        &mut self.hooks
    }
}

impl<DB: Database> Deref for Transaction<'_, DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        &self.inner
    }
}

impl<DB: Database> DerefMut for Transaction<'_, DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        &mut self.inner
    }
}

impl<DB: Database> fmt::Debug for Transaction<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("hooks", &self.hooks)
            .finish_non_exhaustive()
    }
}

/// Why [`Transaction::commit`] failed, and whether the transaction is committed.
#[derive(Debug)]
#[non_exhaustive]
pub enum CommitError {
    /// The transaction is not committed: a query before the `COMMIT` failed or the database refused it. Nothing was sent.
    NotCommitted(Error),
    /// The transaction ended before `commit` was called: by a `COMMIT` or `ROLLBACK` of yours, by a statement that commits
    /// implicitly, or by an error, such as a deadlock, after which the database rolls back. What was written before that may
    /// or may not be committed, and on `MySQL`, `MariaDB` and `SQLite` each statement after it was committed by itself.
    /// Nothing was sent.
    Ended {
        /// The error of the database.
        source: Error,
        /// The tasks and messages of the transaction. Run them if you find it committed.
        hooks: CommitHooks,
    },
    /// The database gave no clear answer: the transaction may or may not be committed. Nothing was sent.
    Unclear {
        /// The error of the connection.
        source: Error,
        /// The tasks and messages of the transaction. Run them if you find it committed.
        hooks: CommitHooks,
    },
    /// The transaction is committed, but not everything was sent; [`UnsentError::retry`] sends the rest.
    NotSent(UnsentError),
}

impl CommitError {
    fn new(failure: Failure, hooks: CommitHooks) -> Self {
        match failure {
            Failure::BeforeCommit(source) if is_ended(&source) => Self::Ended { source, hooks },
            Failure::BeforeCommit(source) => Self::NotCommitted(source),
            Failure::AtCommit(source) if is_answer(&source) => Self::NotCommitted(source),
            Failure::AtCommit(source) => Self::Unclear { source, hooks },
        }
    }

    /// Whether the transaction is known to be committed, so that only the sending failed.
    pub fn is_committed(&self) -> bool {
        matches!(self, Self::NotSent(_))
    }
}

impl From<UnsentError> for CommitError {
    fn from(unsent: UnsentError) -> Self {
        Self::NotSent(unsent)
    }
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCommitted(_) => f.write_str("the transaction is not committed, and nothing was sent"),
            Self::Ended { hooks, .. } => write!(
                f,
                "the transaction had ended before `commit` (by a COMMIT, a ROLLBACK, a statement that commits implicitly, or \
                 a deadlock), so it may or may not be committed; none of its {} tasks and messages was sent",
                hooks.len()
            ),
            Self::Unclear { hooks, .. } => write!(
                f,
                "the transaction may or may not be committed, because the database gave no clear answer; none of its {} \
                 tasks and messages was sent",
                hooks.len()
            ),
            Self::NotSent(unsent) => unsent.fmt(f),
        }
    }
}

impl StdError for CommitError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::NotCommitted(source) | Self::Ended { source, .. } | Self::Unclear { source, .. } => {
                Some(source)
            }
            Self::NotSent(unsent) => unsent.source(),
        }
    }
}
