//! A transaction that sends after its commit.

use std::error::Error as StdError;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;

use cloud_tasks::commit::{CommitHooks, Transactional, UnsentError};

use super::sqlx::{self, Connection, Database, Error, Executor, Pool};

/// The future of a `COMMIT` that borrows nothing.
type Commit = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

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
    pub async fn begin(pool: &Pool<DB>) -> Result<Self, Error> {
        pool.begin().await.map(Self::of_pool)
    }

    /// Begins a transaction with another statement than `BEGIN`, such as `BEGIN IMMEDIATE`.
    ///
    /// # Errors
    ///
    /// If sqlx cannot begin the transaction.
    pub async fn begin_with(pool: &Pool<DB>, statement: &'static str) -> Result<Self, Error> {
        pool.begin_with(statement).await.map(Self::of_pool)
    }

    fn of_pool(inner: sqlx::Transaction<'static, DB>) -> Self {
        Self {
            detachable: Some(|inner| Box::pin(inner.commit())),
            ..Self::new(inner)
        }
    }
}

impl<'c, DB: Database> Transaction<'c, DB> {
    /// Begins a transaction on a connection.
    ///
    /// # Errors
    ///
    /// If sqlx cannot begin the transaction, or if the connection is in a transaction already: the end of that one decides
    /// whether anything is committed. Nothing was begun.
    pub async fn begin_on<C: Connection<Database = DB>>(connection: &'c mut C) -> Result<Self, Error> {
        if connection.is_in_transaction() {
            return Err(Error::Configuration(
                "the connection is in a transaction already, whose end decides what is committed: begin that one with \
                 the `Transaction` of cloud-tasks-sqlx, and this one with its `savepoint()`"
                    .into(),
            ));
        }
        connection.begin().await.map(Self::new)
    }

    fn new(inner: sqlx::Transaction<'c, DB>) -> Self {
        Self {
            inner,
            hooks: CommitHooks::new(),
            outer: None,
            detachable: None,
        }
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
    /// On `PostgreSQL`, a `COMMIT` after a failed statement rolls back and reports no error. So if there is something to
    /// send, `SELECT 1` is run first to find out.
    ///
    /// # Errors
    ///
    /// If the commit or the sending fails; [`CommitError`] tells which. If the transaction is not committed, nothing was
    /// sent.
    pub async fn commit(mut self) -> Result<(), CommitError>
    where
        for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
    {
        if DB::NAME == "PostgreSQL" && self.outer.is_none() && !self.hooks.is_empty() {
            self.inner
                .execute("SELECT 1")
                .await
                .map_err(CommitError::NotCommitted)?;
        }
        let Self {
            inner,
            hooks,
            outer,
            detachable,
        } = self;
        if let Some(outer) = outer {
            // The transaction around it decides, and it is dropped with the caller.
            if let Err(source) = inner.commit().await {
                return Err(CommitError::new(source, hooks));
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
        let committed = inner.commit().await;
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

/// Sends what waited for a commit.
async fn send_after(committed: Result<(), Error>, hooks: CommitHooks) -> Result<(), CommitError> {
    match committed {
        Ok(()) => Ok(hooks.run().await?),
        Err(source) => Err(CommitError::new(source, hooks)),
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
    /// Classifies the error of a `COMMIT`.
    fn new(source: Error, hooks: CommitHooks) -> Self {
        // An answer of the database is a refusal, unless it lost the connection (SQLSTATE 08), shuts down (57P) or does
        // not know the outcome itself (40003).
        let refused = source.as_database_error().is_some_and(|refusal| {
            let code = refusal.code().unwrap_or_default();
            !["08", "57P", "40003"]
                .iter()
                .any(|unclear| code.starts_with(unclear))
        });
        if refused {
            Self::NotCommitted(source)
        } else {
            Self::Unclear { source, hooks }
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
            Self::NotCommitted(source) | Self::Unclear { source, .. } => Some(source),
            Self::NotSent(unsent) => unsent.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::io;

    use super::sqlx::error::{DatabaseError, ErrorKind};
    use super::*;

    /// An error of the database with this SQLSTATE.
    #[derive(Debug)]
    struct State(&'static str);

    impl fmt::Display for State {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl StdError for State {}

    impl DatabaseError for State {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    #[test]
    fn only_the_database_itself_can_refuse_a_commit() {
        for (code, refused) in [
            ("23503", true),
            ("40001", true),
            ("5", true),
            ("40003", false),
            ("08006", false),
            ("57P01", false),
        ] {
            let error = CommitError::new(Error::Database(Box::new(State(code))), CommitHooks::new());
            assert_eq!(
                matches!(error, CommitError::NotCommitted(_)),
                refused,
                "{error:?}"
            );
            assert!(!error.is_committed());
        }
        let broken = Error::Io(io::ErrorKind::ConnectionReset.into());
        let error = CommitError::new(broken, CommitHooks::new());
        assert!(matches!(error, CommitError::Unclear { .. }), "{error:?}");
    }
}
