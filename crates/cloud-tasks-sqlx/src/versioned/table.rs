//! An idempotency store in a table of the database.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cloud_tasks::Error;
use cloud_tasks::idempotency::{IdempotencyKey, MemoryStore};
use tokio::time::{Instant, sleep};

use super::claims::is_done;
use super::database::TableDatabase;
use super::errors::is_created_elsewhere;
use super::sqlx::{Error as SqlError, Pool};
use super::tries::Tries;
use crate::names::TableName;
use crate::queries::{Protocol, Query};
use crate::statements::{Dialect, PURGED_AT_ONCE, Statements};

/// The default name of the table.
const TABLE: &str = "cloud_tasks_effects";
/// The default of `lock_timeout`.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// An [`IdempotencyStore`](cloud_tasks::idempotency::IdempotencyStore) in a table of your database, which all instances of a
/// service share.
///
/// For `PostgreSQL`, `MySQL` 8, `MariaDB` and `SQLite`. A completed effect is remembered for 7 days. Leases expire by the
/// clocks of the instances, which may differ by 30 seconds. With [`claim_in`](Self::claim_in), an effect in the same database
/// happens exactly once.
///
/// As a store, it tries again for up to 30 seconds, each time on another connection of the pool, when the database reports a
/// serialization failure, a deadlock, a lock time-out or a lost connection. The runtime gives up earlier if it has less time.
///
/// See [Idempotent tasks on any number of instances](crate#idempotent-tasks-on-any-number-of-instances) for an example.
pub struct IdempotencyTable<DB: TableDatabase> {
    pub(super) pool: Pool<DB>,
    name: TableName,
    lock_timeout: Duration,
    protocol: Protocol,
    pub(super) statements: Arc<Statements>,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    pub(super) retention: Duration,
}

impl<DB: TableDatabase> IdempotencyTable<DB> {
    /// The table `cloud_tasks_effects` of a database. Sends no query.
    pub fn new(pool: &Pool<DB>) -> Self {
        let name = TableName::new(TABLE);
        let protocol = Protocol::Prepared;
        Self {
            pool: pool.clone(),
            statements: Arc::new(Statements::new(
                &name,
                Dialect::of(DB::NAME),
                LOCK_TIMEOUT,
                protocol,
            )),
            name,
            lock_timeout: LOCK_TIMEOUT,
            protocol,
            clock: Arc::new(SystemTime::now),
            retention: MemoryStore::DEFAULT_RETENTION,
        }
    }

    /// Sets the name of the table, `effects` or `schema.effects`.
    ///
    /// The name is quoted: `order` and `user` are fine, and on `PostgreSQL` capital letters stay capital.
    ///
    /// # Errors
    ///
    /// If a part of the name has other characters than letters, digits and `_`, starts with a digit, or is longer than 63
    /// characters.
    pub fn table(mut self, name: &str) -> Result<Self, Error> {
        self.name = TableName::parse(name)?;
        Ok(self.with_statements())
    }

    /// Sets how long a statement waits for another transaction's lock. The default is 5 seconds.
    ///
    /// A claim waits if another open transaction has claimed the same effect with [`claim_in`](Self::claim_in). On `PostgreSQL`
    /// this does not replace a `lock_timeout` that your connections have; on `MariaDB` it is rounded up to whole seconds. It
    /// has no effect on `MySQL` and `SQLite`: `innodb_lock_wait_timeout` applies there, which is 50 seconds unless you set it,
    /// and the `busy_timeout` of your connections.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self.with_statements()
    }

    /// Sends values as literals in the texts of statements, and prepares no statement.
    ///
    /// For poolers that may give each transaction another connection of the server, such as `PgBouncer` in transaction mode:
    /// sqlx prepares a statement in one transaction and runs it in the next, where it may be unknown. This covers the table's
    /// own statements; for yours, set sqlx's `statement_cache_capacity(0)` and run them in transactions.
    pub fn unprepared(mut self) -> Self {
        self.protocol = Protocol::Text;
        self.with_statements()
    }

    fn with_statements(mut self) -> Self {
        let dialect = Dialect::of(DB::NAME);
        self.statements = Arc::new(Statements::new(
            &self.name,
            dialect,
            self.lock_timeout,
            self.protocol,
        ));
        self
    }

    /// Sets how long a completed effect, a dead task and the number of runs are remembered.
    ///
    /// Make it longer than the queue and the subscription retry.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Sets the clock that leases and remembered effects expire by. The default is the system clock.
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(now);
        self
    }

    /// The statements that create the table and its index, for a migration.
    ///
    /// ```
    #[doc = example_imports!()]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::BoxError> {
    /// let pool = sqlx::SqlitePool::connect_lazy("sqlite::memory:")?;
    /// assert_eq!(
    ///     IdempotencyTable::new(&pool).create_statements(),
    ///     [
    ///         "CREATE TABLE IF NOT EXISTS \"cloud_tasks_effects\" (effect VARCHAR(255) PRIMARY KEY, claim_token VARCHAR(32) NOT NULL, \
    ///          state BIGINT NOT NULL, runs BIGINT NOT NULL, leased_until_ms BIGINT NOT NULL, expires_at_ms BIGINT NOT NULL)",
    ///         "CREATE INDEX IF NOT EXISTS \"cloud_tasks_effects_expires_at_ms\" ON \"cloud_tasks_effects\" (expires_at_ms)",
    ///     ]
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn create_statements(&self) -> &[String] {
        &self.statements.create
    }

    /// Creates the table and its index unless they exist. Any number of processes may do so at once.
    ///
    /// # Errors
    ///
    /// If the database refuses. The table may exist without its index; call it again.
    pub async fn create(&self) -> Result<(), SqlError> {
        for statement in &self.statements.create {
            let mut tries = Tries::new();
            while let Err(error) = self.write(Query::text(statement)).await {
                if is_created_elsewhere(&error) {
                    tries.wait(error).await?;
                } else {
                    tries.after(error).await?;
                }
            }
        }
        Ok(())
    }

    /// Deletes expired claims and effects; call it now and then, for example from a periodic task.
    ///
    /// It deletes a thousand rows at a time, each thousand by itself, and rests as long as it works, so that claims go on.
    ///
    /// # Errors
    ///
    /// If the database refuses. Some may be deleted; expired rows have no effect all the same.
    pub async fn purge(&self) -> Result<(), SqlError> {
        let now_ms = self.now_ms();
        let count = self.statements.count_expired.query(vec![now_ms.into()]);
        let mut connection = self.pool.acquire().await?;
        let mut left = DB::number(&mut connection, count).await?.unwrap_or(0);
        drop(connection);
        while left > 0 {
            let begun = Instant::now();
            let mut tries = Tries::new();
            while let Err(error) = self.write(self.statements.purge.query(vec![now_ms.into()])).await {
                tries.after(error).await?;
            }
            left -= PURGED_AT_ONCE;
            // SQLite has no queue for its lock: whoever waits for it looks again from time to time.
            sleep(begun.elapsed()).await;
        }
        Ok(())
    }

    /// Whether an effect has happened and is remembered. Claims nothing, and waits for nobody.
    ///
    /// An effect in progress has not happened, and neither has one whose transaction is not committed.
    ///
    /// ```
    #[doc = example_imports!()]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::BoxError> {
    /// # let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    /// let table = IdempotencyTable::new(&pool);
    /// # table.create().await?;
    /// assert!(!table.is_done("booking-7").await?);
    /// let mut tx = Transaction::begin(&pool).await?;
    /// table.claim_in(&mut tx, "booking-7").await?;
    /// tx.commit().await?;
    /// assert!(table.is_done("booking-7").await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the database refuses.
    pub async fn is_done(&self, key: impl Into<IdempotencyKey>) -> Result<bool, SqlError> {
        let key = key.into();
        let mut tries = Tries::new();
        loop {
            match self.look_up(&key).await {
                Ok(found) => return Ok(found.is_some_and(|found| is_done(&found, self.now_ms()))),
                Err(error) => tries.after(error).await?,
            }
        }
    }

    /// Runs a statement on a connection of the pool.
    async fn write(&self, query: Query) -> Result<(), SqlError> {
        let mut connection = self.pool.acquire().await?;
        DB::write(&mut connection, query).await
    }

    /// The current time in milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        let since = (self.clock)().duration_since(SystemTime::UNIX_EPOCH);
        after(0, since.unwrap_or_default())
    }
}

/// Adds a duration to a time; saturates at the maximum.
pub(super) fn after(ms: i64, length: Duration) -> i64 {
    ms.saturating_add(i64::try_from(length.as_millis()).unwrap_or(i64::MAX))
}

impl<DB: TableDatabase> Clone for IdempotencyTable<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            name: self.name.clone(),
            lock_timeout: self.lock_timeout,
            protocol: self.protocol,
            statements: Arc::clone(&self.statements),
            clock: Arc::clone(&self.clock),
            retention: self.retention,
        }
    }
}

impl<DB: TableDatabase> fmt::Debug for IdempotencyTable<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyTable")
            .field("name", &self.name)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}
