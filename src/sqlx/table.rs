//! A table of the effects that happened.

use std::fmt;
use std::time::{Duration, SystemTime};

use ::sqlx::{Error as SqlError, Pool};

use crate::base::clock::Clock;
use crate::base::error::{Error, ErrorKind};
use crate::runtime::idempotency::{
    Claim, ClaimToken, IdempotencyKey, IdempotencyStore, KEEP, StoreFuture, after,
};
use crate::sqlx::database::{Record, TableDatabase, Value};
use crate::sqlx::statements::{Statements, check_name};

/// The name of the table, unless another is given.
const TABLE: &str = "cloud_tasks_effects";

/// Remembers in a table of your database what ran: an [`IdempotencyStore`] that all instances of a service share.
///
/// For `PostgreSQL`, `MySQL` 8, `MariaDB` and `SQLite`. An effect is remembered for 7 days. The leases go by the clocks of the
/// instances, which may be 30 seconds apart. With [`claim_in`](Self::claim_in) an effect in the same database happens
/// exactly once.
///
/// ```standalone_crate
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task, sqlx::IdempotencyTable};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Charge { invoice: u64 }
///
/// #[task(idempotent)]
/// impl Task for Charge {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::BoxError> {
/// # let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
/// let table = IdempotencyTable::new(&pool);
/// table.create().await?;                      // or as a migration: see `create_statements()`
/// let runtime = Runtime::eager().idempotency(table).build().await?;
/// Charge { invoice: 7 }.asap().on(&runtime).await?;
/// # Ok(())
/// # }
/// ```
pub struct IdempotencyTable<DB: TableDatabase> {
    pool: Pool<DB>,
    statements: Statements,
    clock: Clock,
    keep: Duration,
}

impl<DB: TableDatabase> IdempotencyTable<DB> {
    /// The table `cloud_tasks_effects` of a database; nothing is asked of it yet.
    pub fn new(pool: &Pool<DB>) -> Self {
        Self {
            pool: pool.clone(),
            statements: Statements::of(TABLE, DB::NAME),
            clock: Clock::default(),
            keep: KEEP,
        }
    }

    /// Uses a table of another name, `effects` or `schema.effects`.
    ///
    /// # Errors
    ///
    /// When the name has anything but letters, digits and `_`, or more than 63 of them: it is written into statements.
    pub fn table(mut self, name: &str) -> Result<Self, Error> {
        check_name(name)?;
        self.statements = Statements::of(name, DB::NAME);
        Ok(self)
    }

    /// Sets how long an effect is remembered; it is to be longer than the queue and the subscription try.
    pub fn keep(mut self, keep: Duration) -> Self {
        self.keep = keep;
        self
    }

    /// Sets the clock that leases and remembered effects end by; that of the machine, unless set.
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::new(now);
        self
    }

    /// The statements that make the table and its index, for a migration of yours.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::BoxError> {
    /// use cloud_tasks::sqlx::IdempotencyTable;
    ///
    /// let pool = sqlx::SqlitePool::connect_lazy("sqlite::memory:")?;
    /// assert_eq!(
    ///     IdempotencyTable::new(&pool).create_statements(),
    ///     [
    ///         "CREATE TABLE IF NOT EXISTS cloud_tasks_effects (effect VARCHAR(255) PRIMARY KEY, claim VARCHAR(32) NOT NULL, \
    ///          done BIGINT NOT NULL, until_ms BIGINT NOT NULL)",
    ///         "CREATE INDEX IF NOT EXISTS cloud_tasks_effects_until_ms ON cloud_tasks_effects (until_ms)",
    ///     ]
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn create_statements(&self) -> &'static [&'static str] {
        self.statements.create
    }

    /// Makes the table and its index, where they are not there.
    ///
    /// # Errors
    ///
    /// When the database refuses. The table may be there without its index.
    pub async fn create(&self) -> Result<(), SqlError> {
        let mut connection = self.pool.acquire().await?;
        for statement in self.statements.create {
            DB::write(&mut connection, statement, Vec::new()).await?;
        }
        Ok(())
    }

    /// Deletes what need not be remembered any more; call it now and then, from a periodic task for instance.
    ///
    /// # Errors
    ///
    /// When the database refuses. Nothing was deleted; whatever has ended counts for nothing all the same.
    pub async fn purge(&self) -> Result<(), SqlError> {
        let mut connection = self.pool.acquire().await?;
        let now = millis(self.clock.now());
        DB::write(&mut connection, self.statements.purge, vec![Value::Number(now)]).await
    }

    /// Claims an effect within a transaction of yours: `true` where it is to happen now, in this same transaction.
    ///
    /// The effect and the note that it happened are committed together or not at all: exactly once, whatever crashes. Where
    /// another transaction has claimed it and is not committed yet, this one waits for it. Use a key that nothing else
    /// claims: not one that [`Context::once`](crate::Context::once) takes as well.
    ///
    /// ```
    /// use cloud_tasks::sqlx::{IdempotencyTable, Transaction};
    ///
    /// # async fn book(_connection: &mut sqlx::SqliteConnection) -> Result<(), sqlx::Error> { Ok(()) }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::BoxError> {
    /// # let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    /// let table = IdempotencyTable::new(&pool);
    /// # table.create().await?;
    /// for booked in [true, false] {
    ///     let mut tx = Transaction::begin(&pool).await?;
    ///     let first = table.claim_in(&mut tx, "booking-7").await?;
    ///     if first {
    ///         book(&mut tx).await?;
    ///     }
    ///     tx.commit().await?;
    ///     assert_eq!(first, booked);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the database refuses, also because another transaction was faster under an isolation that does not let this one
    /// see it, and when the effect is claimed outside of a transaction. Roll the transaction back then and try again, as a
    /// task does that hands the error on.
    pub async fn claim_in(
        &self,
        transaction: &mut DB::Connection,
        key: impl Into<IdempotencyKey>,
    ) -> Result<bool, Error> {
        let key = key.into();
        match self.claim(transaction, &key, true, self.keep).await {
            Ok(Claim::Run(_)) => Ok(true),
            Ok(Claim::Done) => Ok(false),
            Ok(Claim::InProgress) => Err(Error::new(
                ErrorKind::InProgress,
                format!("{key} is claimed by somebody else at this moment; nothing was claimed"),
            )),
            Err(error) => Err(Error::new(
                ErrorKind::IdempotencyStore,
                format!("the database did not say whether {key} happened before"),
            )
            .with_source(error)),
        }
    }

    /// Puts a row in, or takes the place of one that has ended. Which of several callers did it, the row says.
    async fn claim(
        &self,
        connection: &mut DB::Connection,
        key: &IdempotencyKey,
        done: bool,
        length: Duration,
    ) -> Result<Claim, SqlError> {
        let token = ClaimToken::random();
        let now = self.clock.now();
        let (done, until) = (Value::Number(i64::from(done)), millis(after(now, length)));
        let row = vec![
            text(key.as_str()),
            text(token.as_str()),
            done.clone(),
            until.into(),
        ];
        DB::write(connection, self.statements.insert, row).await?;
        for _ in 0..2 {
            let Some(found) = self.find(connection, key).await? else {
                break;
            };
            if found.claim == token.as_str() {
                return Ok(Claim::Run(token));
            }
            if found.until_ms > millis(now) {
                return Ok(if found.done == 0 {
                    Claim::InProgress
                } else {
                    Claim::Done
                });
            }
            // Its end is compared as well: the claim may have been completed since, under the same token.
            let values = vec![
                text(token.as_str()),
                done.clone(),
                until.into(),
                text(key.as_str()),
                text(&found.claim),
                found.until_ms.into(),
            ];
            DB::write(connection, self.statements.take, values).await?;
        }
        // Gone or replaced at this very moment, or out of this transaction's sight: another try will know.
        Ok(Claim::InProgress)
    }

    async fn find(
        &self,
        connection: &mut DB::Connection,
        key: &IdempotencyKey,
    ) -> Result<Option<Record>, SqlError> {
        DB::read(connection, self.statements.select, vec![text(key.as_str())]).await
    }
}

impl<DB: TableDatabase> IdempotencyStore for IdempotencyTable<DB> {
    fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim> {
        Box::pin(async move {
            let mut connection = self.pool.acquire().await?;
            Ok(self.claim(&mut connection, key, false, lease).await?)
        })
    }

    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let mut connection = self.pool.acquire().await?;
            let until = Value::Number(millis(after(self.clock.now(), self.keep)));
            let (effect, claim) = (text(key.as_str()), text(token.as_str()));
            let values = vec![until.clone(), effect.clone(), claim.clone()];
            DB::write(&mut connection, self.statements.complete, values).await?;
            if let Some(found) = self.find(&mut connection, key).await? {
                return Ok(found.claim == token.as_str());
            }
            // It had ended, and was purged.
            let row = vec![effect, claim, Value::Number(1), until];
            DB::write(&mut connection, self.statements.insert, row).await?;
            let found = self.find(&mut connection, key).await?;
            Ok(found.is_some_and(|found| found.claim == token.as_str()))
        })
    }

    fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let mut connection = self.pool.acquire().await?;
            let values = vec![text(key.as_str()), text(token.as_str())];
            Ok(DB::write(&mut connection, self.statements.release, values).await?)
        })
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// An instant as the table has it: milliseconds since 1970.
fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl<DB: TableDatabase> Clone for IdempotencyTable<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            statements: self.statements,
            clock: self.clock.clone(),
            keep: self.keep,
        }
    }
}

impl<DB: TableDatabase> fmt::Debug for IdempotencyTable<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyTable")
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}
