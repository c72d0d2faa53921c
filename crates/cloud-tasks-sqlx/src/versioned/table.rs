//! An idempotency store in a table of the database.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cloud_tasks::idempotency::{
    Claim, ClaimToken, IdempotencyKey, IdempotencyStore, MemoryStore, StoreFuture,
};
use cloud_tasks::{Error, ErrorKind};

use super::database::{Record, TableDatabase};
use super::sqlx::{Error as SqlError, Pool};
use crate::statements::{Statements, check_name};

/// The default name of the table.
const TABLE: &str = "cloud_tasks_effects";

/// The values of the column `state`.
const CLAIMED: i64 = 0;
const DONE: i64 = 1;
const DEAD: i64 = 2;
const RELEASED: i64 = 3;

/// An [`IdempotencyStore`] in a table of your database, which all instances of a service share.
///
/// For `PostgreSQL`, `MySQL` 8, `MariaDB` and `SQLite`. A completed effect is remembered for 7 days. Leases expire by the
/// clocks of the instances, which may differ by 30 seconds. With [`claim_in`](Self::claim_in), an effect in the same database
/// happens exactly once.
///
/// See [Idempotent tasks on any number of instances](crate#idempotent-tasks-on-any-number-of-instances) for an example.
pub struct IdempotencyTable<DB: TableDatabase> {
    pool: Pool<DB>,
    statements: Statements,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    retention: Duration,
}

impl<DB: TableDatabase> IdempotencyTable<DB> {
    /// The table `cloud_tasks_effects` of a database. Sends no query.
    pub fn new(pool: &Pool<DB>) -> Self {
        Self {
            pool: pool.clone(),
            statements: Statements::of(TABLE, DB::NAME),
            clock: Arc::new(SystemTime::now),
            retention: MemoryStore::DEFAULT_RETENTION,
        }
    }

    /// Sets the name of the table, `effects` or `schema.effects`.
    ///
    /// # Errors
    ///
    /// If a part of the name has other characters than letters, digits and `_`, starts with a digit, or is longer than 63
    /// characters: the name is written into statements.
    pub fn table(mut self, name: &str) -> Result<Self, Error> {
        check_name(name)?;
        self.statements = Statements::of(name, DB::NAME);
        Ok(self)
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
    ///         "CREATE TABLE IF NOT EXISTS cloud_tasks_effects (effect VARCHAR(255) PRIMARY KEY, claim_token VARCHAR(32) NOT NULL, \
    ///          state BIGINT NOT NULL, runs BIGINT NOT NULL, leased_until_ms BIGINT NOT NULL, expires_at_ms BIGINT NOT NULL)",
    ///         "CREATE INDEX IF NOT EXISTS cloud_tasks_effects_expires_at_ms ON cloud_tasks_effects (expires_at_ms)",
    ///     ]
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn create_statements(&self) -> &'static [&'static str] {
        self.statements.create
    }

    /// Creates the table and its index unless they exist.
    ///
    /// # Errors
    ///
    /// If the database refuses. The table may exist without its index.
    pub async fn create(&self) -> Result<(), SqlError> {
        let mut connection = self.pool.acquire().await?;
        for statement in self.statements.create {
            DB::write(&mut connection, statement, Vec::new()).await?;
        }
        Ok(())
    }

    /// Deletes expired claims and effects; call it now and then, for example from a periodic task.
    ///
    /// # Errors
    ///
    /// If the database refuses. Nothing was deleted; expired rows have no effect all the same.
    pub async fn purge(&self) -> Result<(), SqlError> {
        let mut connection = self.pool.acquire().await?;
        DB::write(&mut connection, self.statements.purge, vec![self.now_ms().into()]).await
    }

    /// Claims an effect inside a transaction of yours. `true` means: run the effect now, in this transaction.
    ///
    /// The claim and the effect are committed together or not at all, so the effect happens exactly once, even if the
    /// process crashes. If another open transaction has claimed the effect, this call waits for its end. Use a key that
    /// nothing else claims, not even [`Context::once`](cloud_tasks::Context::once).
    ///
    /// ```
    #[doc = example_imports!()]
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
    /// If the database refuses, for example because another transaction was faster and the isolation level hides it from
    /// this one, or if the effect is claimed outside a transaction. Nothing was claimed: roll the transaction back and try
    /// again, as a task does that returns the error.
    pub async fn claim_in(
        &self,
        transaction: &mut DB::Connection,
        key: impl Into<IdempotencyKey>,
    ) -> Result<bool, Error> {
        let key = key.into();
        match self.claim(transaction, &key, DONE, Duration::ZERO).await {
            Ok(Claim::Run { .. }) => Ok(true),
            Ok(Claim::Done | Claim::Dead) => Ok(false),
            Ok(Claim::InProgress) => Err(Error::new(
                ErrorKind::InProgress,
                format!("{key} is claimed by another caller; this call claimed nothing"),
            )),
            Err(error) => Err(Error::new(
                ErrorKind::IdempotencyStore,
                format!(
                    "the query failed, so it is unknown whether {key} happened before; nothing was claimed"
                ),
            )
            .with_source(error)),
        }
    }

    /// Adds a row, or takes over one that has ended. The token in the row shows which of several callers succeeded.
    async fn claim(
        &self,
        connection: &mut DB::Connection,
        key: &IdempotencyKey,
        state: i64,
        lease: Duration,
    ) -> Result<Claim, SqlError> {
        let token = ClaimToken::random();
        let now_ms = self.now_ms();
        let (leased_until_ms, expires_at_ms) = (after(now_ms, lease), self.expiry(now_ms, lease));
        let row = vec![
            key.as_str().into(),
            token.as_str().into(),
            state.into(),
            1.into(),
            leased_until_ms.into(),
            expires_at_ms.into(),
        ];
        DB::write(connection, self.statements.insert, row).await?;
        for _ in 0..2 {
            let Some(found) = self.find(connection, key).await? else {
                break;
            };
            if found.claim_token == token.as_str() {
                let runs = u32::try_from(found.runs).unwrap_or(u32::MAX);
                return Ok(Claim::Run { token, runs });
            }
            // What has expired counts for nothing, not even its runs.
            let expired = found.expires_at_ms <= now_ms;
            match found.state {
                DONE if !expired => return Ok(Claim::Done),
                DEAD if !expired => return Ok(Claim::Dead),
                _ if !expired && found.leased_until_ms > now_ms => return Ok(Claim::InProgress),
                _ => {}
            }
            let runs = if expired { 0 } else { found.runs };
            // Compares the end of the lease too: the claim may have been renewed or settled since, under the same token.
            let values = vec![
                token.as_str().into(),
                state.into(),
                runs.saturating_add(1).into(),
                leased_until_ms.into(),
                expires_at_ms.into(),
                key.as_str().into(),
                found.claim_token.as_str().into(),
                found.leased_until_ms.into(),
            ];
            DB::write(connection, self.statements.take_over, values).await?;
        }
        // Deleted or replaced at this moment, or not visible to this transaction. The caller tries again.
        Ok(Claim::InProgress)
    }

    /// Ends a claim. Returns whether it is in this state now, under this token.
    async fn settle(&self, key: &IdempotencyKey, token: &ClaimToken, state: i64) -> Result<bool, SqlError> {
        let mut connection = self.pool.acquire().await?;
        let now_ms = self.now_ms();
        let expires_at_ms = self.expiry(now_ms, Duration::ZERO);
        let values = vec![
            state.into(),
            // Differs from every earlier end of this lease, so that nobody takes over what is settled now.
            i64::MIN.into(),
            expires_at_ms.into(),
            key.as_str().into(),
            token.as_str().into(),
        ];
        DB::write(&mut connection, self.statements.settle, values).await?;
        if let Some(found) = self.find(&mut connection, key).await? {
            return Ok(found.claim_token == token.as_str() && found.state == state);
        }
        // The claim had expired and was purged.
        let row = vec![
            key.as_str().into(),
            token.as_str().into(),
            state.into(),
            1.into(),
            i64::MIN.into(),
            expires_at_ms.into(),
        ];
        DB::write(&mut connection, self.statements.insert, row).await?;
        let found = self.find(&mut connection, key).await?;
        Ok(found.is_some_and(|found| found.claim_token == token.as_str()))
    }

    /// When a row may be deleted: after its lease and the retention.
    fn expiry(&self, now_ms: i64, lease: Duration) -> i64 {
        after(after(now_ms, lease), self.retention)
    }

    async fn find(
        &self,
        connection: &mut DB::Connection,
        key: &IdempotencyKey,
    ) -> Result<Option<Record>, SqlError> {
        DB::read(connection, self.statements.select, vec![key.as_str().into()]).await
    }

    /// The current time in milliseconds since 1970.
    fn now_ms(&self) -> i64 {
        let since = (self.clock)().duration_since(SystemTime::UNIX_EPOCH);
        after(0, since.unwrap_or_default())
    }
}

impl<DB: TableDatabase> IdempotencyStore for IdempotencyTable<DB> {
    fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim> {
        Box::pin(async move {
            let mut connection = self.pool.acquire().await?;
            Ok(self.claim(&mut connection, key, CLAIMED, lease).await?)
        })
    }

    fn renew<'a>(
        &'a self,
        key: &'a IdempotencyKey,
        token: &'a ClaimToken,
        lease: Duration,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let mut connection = self.pool.acquire().await?;
            let now_ms = self.now_ms();
            let values = vec![
                after(now_ms, lease).into(),
                self.expiry(now_ms, lease).into(),
                key.as_str().into(),
                token.as_str().into(),
            ];
            DB::write(&mut connection, self.statements.renew, values).await?;
            let found = self.find(&mut connection, key).await?;
            Ok(found.is_some_and(|found| found.claim_token == token.as_str() && found.state == CLAIMED))
        })
    }

    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(async move { Ok(self.settle(key, token, DONE).await?) })
    }

    fn bury<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(async move { Ok(self.settle(key, token, DEAD).await?) })
    }

    fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let mut connection = self.pool.acquire().await?;
            let values = vec![
                RELEASED.into(),
                i64::MIN.into(),
                self.expiry(self.now_ms(), Duration::ZERO).into(),
                key.as_str().into(),
                token.as_str().into(),
            ];
            Ok(DB::write(&mut connection, self.statements.settle, values).await?)
        })
    }
}

/// Adds a duration to a time; saturates at the maximum.
fn after(ms: i64, length: Duration) -> i64 {
    ms.saturating_add(i64::try_from(length.as_millis()).unwrap_or(i64::MAX))
}

impl<DB: TableDatabase> Clone for IdempotencyTable<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            statements: self.statements,
            clock: Arc::clone(&self.clock),
            retention: self.retention,
        }
    }
}

impl<DB: TableDatabase> fmt::Debug for IdempotencyTable<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyTable")
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}
