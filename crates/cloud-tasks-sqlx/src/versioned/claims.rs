//! Claims of effects, and how they end.

use std::time::Duration;

use cloud_tasks::idempotency::{Claim, ClaimToken, IdempotencyKey, IdempotencyStore, StoreFuture};
use cloud_tasks::{Error, ErrorKind};

use super::database::{Record, TableDatabase};
use super::errors::is_lock_timeout;
use super::sqlx::Error as SqlError;
use super::table::{IdempotencyTable, after};
use super::tries::Tries;

/// The values of the column `state`.
const CLAIMED: i64 = 0;
const DONE: i64 = 1;
const DEAD: i64 = 2;
const RELEASED: i64 = 3;

/// Differs from every end of a lease, so that nobody takes over what is settled now.
const NO_LEASE: i64 = i64::MIN;

/// Whether the effect of a row has happened.
pub(super) fn is_done(found: &Record, now_ms: i64) -> bool {
    found.state == DONE && found.expires_at_ms > now_ms
}

/// What a claim writes: the same in each of its tries, so that one that succeeded without an answer is found by the next.
struct NewClaim {
    token: ClaimToken,
    state: i64,
    leased_until_ms: i64,
    expires_at_ms: i64,
}

impl NewClaim {
    fn new(state: i64, now_ms: i64, lease: Duration, retention: Duration) -> Self {
        let leased_until_ms = after(now_ms, lease);
        Self {
            token: ClaimToken::random(),
            state,
            leased_until_ms,
            expires_at_ms: after(leased_until_ms, retention),
        }
    }
}

impl<DB: TableDatabase> IdempotencyTable<DB> {
    /// Claims an effect inside a transaction of yours. `true` means: run the effect now, in this transaction.
    ///
    /// The claim and the effect are committed together or not at all, so the effect happens exactly once, even if the
    /// process crashes. If another open transaction has claimed the effect, this call waits for its end, but no longer than
    /// [`lock_timeout`](Self::lock_timeout). Use a key that nothing else claims, not even
    /// [`Context::once`](cloud_tasks::Context::once).
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
    /// this one, or if the effect is claimed outside a transaction or by one that does not end in time
    /// ([`ErrorKind::InProgress`]). Nothing was claimed: roll the transaction back and try again, as a task does that
    /// returns the error.
    pub async fn claim_in(
        &self,
        transaction: &mut DB::Connection,
        key: impl Into<IdempotencyKey>,
    ) -> Result<bool, Error> {
        let key = key.into();
        match self.claim_within(transaction, &key).await {
            Ok(Claim::Run { .. }) => Ok(true),
            Ok(Claim::Done | Claim::Dead) => Ok(false),
            Ok(Claim::InProgress) => Err(Error::new(
                ErrorKind::InProgress,
                format!("{key} is claimed by another caller; this call claimed nothing"),
            )),
            Err(error) if is_lock_timeout(&error) => Err(Error::new(
                ErrorKind::InProgress,
                format!("{key} is claimed by another transaction, which did not end in time; this call claimed nothing"),
            )
            .with_source(error)),
            Err(error) => Err(Error::new(
                ErrorKind::IdempotencyStore,
                format!("the query failed, so it is unknown whether {key} happened before; nothing was claimed"),
            )
            .with_source(error)),
        }
    }

    /// Claims a completed effect, and leaves the transaction with the lock time-out that it had.
    async fn claim_within(
        &self,
        transaction: &mut DB::Connection,
        key: &IdempotencyKey,
    ) -> Result<Claim, SqlError> {
        let mut limited = None;
        if let Some((limit, lift)) = &self.statements.lock_limit {
            let set = DB::number(transaction, limit.query(Vec::new())).await?;
            limited = set.map(|_| lift);
        }
        let claim = NewClaim::new(DONE, self.now_ms(), Duration::ZERO, self.retention);
        let claimed = self.try_claim(transaction, key, &claim).await?;
        // After an error, a rollback does it.
        if let Some(lift) = limited {
            DB::number(transaction, lift.query(Vec::new())).await?;
        }
        Ok(claimed)
    }

    /// Adds a row, or takes over one that has ended. The token in the row shows which of several callers succeeded.
    async fn try_claim(
        &self,
        connection: &mut DB::Connection,
        key: &IdempotencyKey,
        claim: &NewClaim,
    ) -> Result<Claim, SqlError> {
        let row = vec![
            key.as_str().into(),
            claim.token.as_str().into(),
            claim.state.into(),
            1.into(),
            claim.leased_until_ms.into(),
            claim.expires_at_ms.into(),
        ];
        DB::write(connection, self.statements.insert.query(row)).await?;
        let now_ms = self.now_ms();
        for _ in 0..2 {
            let Some(found) = self.find(connection, key).await? else {
                break;
            };
            if found.claim_token == claim.token.as_str() {
                let runs = u32::try_from(found.runs).unwrap_or(u32::MAX);
                return Ok(Claim::Run {
                    token: claim.token.clone(),
                    runs,
                });
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
                claim.token.as_str().into(),
                claim.state.into(),
                runs.saturating_add(1).into(),
                claim.leased_until_ms.into(),
                claim.expires_at_ms.into(),
                key.as_str().into(),
                found.claim_token.as_str().into(),
                found.leased_until_ms.into(),
            ];
            DB::write(connection, self.statements.take_over.query(values)).await?;
        }
        // Deleted or replaced at this moment, or not visible to this transaction. The caller tries again.
        Ok(Claim::InProgress)
    }

    async fn try_renew(
        &self,
        key: &IdempotencyKey,
        token: &ClaimToken,
        lease: Duration,
    ) -> Result<bool, SqlError> {
        let mut connection = self.pool.acquire().await?;
        let leased_until_ms = after(self.now_ms(), lease);
        let values = vec![
            leased_until_ms.into(),
            after(leased_until_ms, self.retention).into(),
            key.as_str().into(),
            token.as_str().into(),
        ];
        DB::write(&mut connection, self.statements.renew.query(values)).await?;
        let found = self.find(&mut connection, key).await?;
        Ok(found.is_some_and(|found| found.claim_token == token.as_str() && found.state == CLAIMED))
    }

    /// Ends a claim. Returns whether it is in this state now, under this token.
    async fn settle(&self, key: &IdempotencyKey, token: &ClaimToken, state: i64) -> Result<bool, SqlError> {
        let mut tries = Tries::new();
        loop {
            match self.try_settle(key, token, state).await {
                Ok(settled) => return Ok(settled),
                Err(error) => tries.after(error).await?,
            }
        }
    }

    async fn try_settle(
        &self,
        key: &IdempotencyKey,
        token: &ClaimToken,
        state: i64,
    ) -> Result<bool, SqlError> {
        let mut connection = self.pool.acquire().await?;
        let expires_at_ms = after(self.now_ms(), self.retention);
        let values = vec![
            state.into(),
            NO_LEASE.into(),
            expires_at_ms.into(),
            key.as_str().into(),
            token.as_str().into(),
        ];
        DB::write(&mut connection, self.statements.settle.query(values)).await?;
        if state == RELEASED {
            return Ok(true);
        }
        if let Some(found) = self.find(&mut connection, key).await? {
            return Ok(found.claim_token == token.as_str() && found.state == state);
        }
        // The claim had expired and was purged.
        let row = vec![
            key.as_str().into(),
            token.as_str().into(),
            state.into(),
            1.into(),
            NO_LEASE.into(),
            expires_at_ms.into(),
        ];
        DB::write(&mut connection, self.statements.insert.query(row)).await?;
        let found = self.find(&mut connection, key).await?;
        Ok(found.is_some_and(|found| found.claim_token == token.as_str()))
    }

    /// Reads a row on a connection of the pool.
    pub(super) async fn look_up(&self, key: &IdempotencyKey) -> Result<Option<Record>, SqlError> {
        let mut connection = self.pool.acquire().await?;
        self.find(&mut connection, key).await
    }

    async fn find(
        &self,
        connection: &mut DB::Connection,
        key: &IdempotencyKey,
    ) -> Result<Option<Record>, SqlError> {
        DB::read(
            connection,
            self.statements.select.query(vec![key.as_str().into()]),
        )
        .await
    }
}

impl<DB: TableDatabase> IdempotencyStore for IdempotencyTable<DB> {
    fn begin<'a>(&'a self, key: &'a IdempotencyKey, lease: Duration) -> StoreFuture<'a, Claim> {
        Box::pin(async move {
            let claim = NewClaim::new(CLAIMED, self.now_ms(), lease, self.retention);
            let mut tries = Tries::new();
            loop {
                let attempt = async {
                    let mut connection = self.pool.acquire().await?;
                    self.try_claim(&mut connection, key, &claim).await
                };
                match attempt.await {
                    Ok(claimed) => return Ok(claimed),
                    Err(error) => tries.after(error).await?,
                }
            }
        })
    }

    fn renew<'a>(
        &'a self,
        key: &'a IdempotencyKey,
        token: &'a ClaimToken,
        lease: Duration,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let mut tries = Tries::new();
            loop {
                match self.try_renew(key, token, lease).await {
                    Ok(renewed) => return Ok(renewed),
                    Err(error) => tries.after(error).await?,
                }
            }
        })
    }

    fn complete<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(async move { Ok(self.settle(key, token, DONE).await?) })
    }

    fn bury<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(async move { Ok(self.settle(key, token, DEAD).await?) })
    }

    fn release<'a>(&'a self, key: &'a IdempotencyKey, token: &'a ClaimToken) -> StoreFuture<'a, ()> {
        Box::pin(async move { Ok(self.settle(key, token, RELEASED).await.map(drop)?) })
    }
}
