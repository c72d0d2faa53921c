//! A transaction that sends after its commit.

use std::error::Error as StdError;
use std::fmt;
use std::ops::{Deref, DerefMut};

use cloud_tasks::commit::{CommitHooks, Transactional, UnsentError};

use super::sqlx::{self, Connection, Database, Error, Executor, Pool};

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
}

impl<'c, DB: Database> Transaction<'c, DB> {
    /// Begins a transaction on a connection of a pool.
    ///
    /// # Errors
    ///
    /// If sqlx cannot begin the transaction.
    pub async fn begin(pool: &Pool<DB>) -> Result<Self, Error> {
        pool.begin().await.map(Self::new)
    }

    /// Begins a transaction with another statement than `BEGIN`, such as `BEGIN IMMEDIATE`.
    ///
    /// # Errors
    ///
    /// If sqlx cannot begin the transaction.
    pub async fn begin_with(pool: &Pool<DB>, statement: &'static str) -> Result<Self, Error> {
        pool.begin_with(statement).await.map(Self::new)
    }

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
        })
    }

    /// Commits the transaction, and then sends its tasks and messages in the order in which they were added.
    ///
    /// Await the future to its end. One that is dropped halfway, for example because a client hangs up, may have committed
    /// without sending everything; `runtime.spawn(async move { tx.commit().await })` runs it to its end.
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
        if let Err(source) = self.inner.commit().await {
            return Err(CommitError::new(source, self.hooks));
        }
        match self.outer {
            Some(outer) => outer.append(self.hooks),
            None => self.hooks.run().await?,
        }
        Ok(())
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
