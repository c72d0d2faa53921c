//! A transaction that sends after its commit.

use std::error::Error as StdError;
use std::fmt;
use std::ops::{Deref, DerefMut};

use ::sqlx::{Connection, Database, Error, Executor, Pool};

use crate::task::commit::{CommitHooks, Transactional, UnsentError};

/// A transaction that sends what was handed to it, once it is committed.
///
/// It dereferences to the connection, as sqlx's own does, so that queries take `&mut *tx`;
/// [`as_sqlx`](Self::as_sqlx) is for functions that ask for sqlx's type. Dropped, it rolls back and sends nothing.
pub struct Transaction<'c, DB: Database> {
    inner: ::sqlx::Transaction<'c, DB>,
    hooks: CommitHooks,
    /// Where the hooks go at the commit of a savepoint.
    outer: Option<&'c mut CommitHooks>,
}

impl<'c, DB: Database> Transaction<'c, DB> {
    /// Begins a transaction on a connection of a pool.
    ///
    /// # Errors
    ///
    /// When sqlx cannot begin it. Nothing was begun.
    pub async fn begin(pool: &Pool<DB>) -> Result<Self, Error> {
        pool.begin().await.map(Self::of)
    }

    /// Begins a transaction by a statement of its own, such as `BEGIN IMMEDIATE`.
    ///
    /// # Errors
    ///
    /// When sqlx cannot begin it. Nothing was begun.
    pub async fn begin_with(pool: &Pool<DB>, statement: &'static str) -> Result<Self, Error> {
        pool.begin_with(statement).await.map(Self::of)
    }

    /// Begins a transaction on a connection.
    ///
    /// # Errors
    ///
    /// When sqlx cannot begin it, or when the connection is in a transaction of sqlx's, whose end would come after this
    /// one's and decides. Nothing was begun.
    pub async fn begin_on<C: Connection<Database = DB>>(connection: &'c mut C) -> Result<Self, Error> {
        if connection.is_in_transaction() {
            return Err(Error::Configuration(
                "the connection is in a transaction already, whose end decides what is sent: begin that one with \
                 `cloud_tasks::sqlx::Transaction`, and this one with its `savepoint()`"
                    .into(),
            ));
        }
        connection.begin().await.map(Self::of)
    }

    fn of(inner: ::sqlx::Transaction<'c, DB>) -> Self {
        Self {
            inner,
            hooks: CommitHooks::new(),
            outer: None,
        }
    }

    /// Begins a savepoint; what is handed to it is sent if it is committed and this transaction as well.
    ///
    /// ```standalone_crate
    /// # use cloud_tasks::{PublisherTask, Runtime, task, sqlx::Transaction};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct Imported { row: u64 }
    /// # #[task]
    /// # impl PublisherTask for Imported {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (runtime, recorder) = Runtime::recorded().build().await?;
    /// # let pool = sqlx::SqlitePool::connect("sqlite::memory:").await?;
    /// let mut tx = Transaction::begin(&pool).await?;
    /// let mut row = tx.savepoint().await?;
    /// Imported { row: 1 }.sync().on(&runtime).on_commit(&mut row)?;
    /// row.commit().await?;                                  // released; sent with the rest
    /// let mut row = tx.savepoint().await?;
    /// Imported { row: 2 }.sync().on(&runtime).on_commit(&mut row)?;
    /// row.rollback().await?;                                // never sent
    /// tx.commit().await?;
    /// assert_eq!(recorder.publications().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the database refuses. No savepoint was made, and nothing was sent.
    pub async fn savepoint(&mut self) -> Result<Transaction<'_, DB>, Error> {
        Ok(Transaction {
            inner: self.inner.begin().await?,
            hooks: CommitHooks::new(),
            outer: Some(&mut self.hooks),
        })
    }

    /// Commits the transaction, and then sends what was handed to it, in that order.
    ///
    /// Await it to its end: a future that is dropped halfway, as that of a request whose client hangs up, may have
    /// committed without sending everything. `runtime.spawn(async move { tx.commit().await })` cannot be dropped so.
    ///
    /// `PostgreSQL` answers the commit of a transaction in which a statement failed by a rollback and no error. Where there
    /// is something to send, it is asked for that first, at the cost of a `SELECT 1`.
    ///
    /// # Errors
    ///
    /// [`CommitError`] tells whether the transaction is committed. Unless it is, nothing was sent.
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
            return Err(CommitError::of(source, self.hooks));
        }
        match self.outer {
            Some(outer) => outer.append(self.hooks),
            None => self.hooks.run().await?,
        }
        Ok(())
    }

    /// Rolls the transaction back; nothing is sent.
    ///
    /// # Errors
    ///
    /// When the database gives no answer; the transaction ends with its connection then. Nothing was sent.
    pub async fn rollback(self) -> Result<(), Error> {
        self.inner.rollback().await
    }

    /// The transaction as sqlx has it.
    pub fn as_sqlx(&mut self) -> &mut ::sqlx::Transaction<'c, DB> {
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

/// Why [`Transaction::commit`] failed, and with that, whether the transaction is committed.
#[derive(Debug)]
#[non_exhaustive]
pub enum CommitError {
    /// The transaction is not committed: the database refused it, or was not asked. Nothing was sent.
    NotCommitted(Error),
    /// No clear answer came: the transaction may be committed. Nothing was sent.
    Unclear {
        /// What became of the connection.
        source: Error,
        /// What was to be sent; run it if you find the transaction committed.
        hooks: CommitHooks,
    },
    /// The transaction is committed, but something was not sent; [`UnsentError::retry`] sends it again.
    NotSent(UnsentError),
}

impl CommitError {
    /// What the error of a `COMMIT` tells about it.
    fn of(source: Error, hooks: CommitHooks) -> Self {
        // Refused by the database itself. Not so where it went away (SQLSTATE 08, 57P) or does not know (40003).
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

    /// Whether the transaction is certainly committed, so that only the sending failed.
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
                "the transaction may be committed or not: no clear answer came; nothing was sent of {}",
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

    use ::sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    /// A database's own error, of this SQLSTATE.
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
    fn a_commit_is_refused_by_the_database_alone_and_else_unclear() {
        for (code, refused) in [
            ("23503", true),
            ("40001", true),
            ("5", true),
            ("40003", false),
            ("08006", false),
            ("57P01", false),
        ] {
            let error = CommitError::of(Error::Database(Box::new(State(code))), CommitHooks::new());
            assert_eq!(
                matches!(error, CommitError::NotCommitted(_)),
                refused,
                "{error:?}"
            );
            assert!(!error.is_committed());
        }
        let broken = Error::Io(io::ErrorKind::ConnectionReset.into());
        let error = CommitError::of(broken, CommitHooks::new());
        assert!(matches!(error, CommitError::Unclear { .. }), "{error:?}");
    }
}
