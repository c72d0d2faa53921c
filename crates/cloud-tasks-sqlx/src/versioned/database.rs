//! The queries of the idempotency table, for any database of sqlx.

use std::pin::Pin;

use super::sqlx::{Arguments, ColumnIndex, Database, Decode, Encode, Error, Executor, Row, Type};
use crate::queries::{Query, Value};

/// A database that can hold an [`IdempotencyTable`](super::IdempotencyTable): `PostgreSQL`, `MySQL` and `SQLite`.
///
/// Implemented for every database of sqlx that reads and writes texts and numbers; it cannot be implemented otherwise.
#[allow(private_bounds, reason = "it is sealed")]
pub trait TableDatabase: Queries {}

impl<DB: Queries> TableDatabase for DB {}

/// Seals [`TableDatabase`], and keeps the bounds on a database out of every signature that needs one.
pub(super) trait Queries: Database {
    /// Runs a statement that changes rows.
    fn write(connection: &mut Self::Connection, query: Query) -> SqlFuture<'_, ()>;

    /// Reads at most one row of the table.
    fn read(connection: &mut Self::Connection, query: Query) -> SqlFuture<'_, Option<Record>>;

    /// Reads at most one number.
    fn number(connection: &mut Self::Connection, query: Query) -> SqlFuture<'_, Option<i64>>;
}

/// What a query returns.
pub(super) type SqlFuture<'c, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'c>>;

/// A row of the table.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) claim_token: String,
    pub(super) state: i64,
    pub(super) runs: i64,
    pub(super) leased_until_ms: i64,
    pub(super) expires_at_ms: i64,
}

/// The values of a statement as arguments of a database. A macro, because the type has a lifetime in sqlx 0.8 only.
macro_rules! arguments {
    ($DB:ty, $values:expr) => {
        match $values {
            Some(values) => {
                let mut arguments = <$DB as Database>::Arguments::default();
                for value in values {
                    match value {
                        Value::Text(text) => arguments.add(text),
                        Value::Number(number) => arguments.add(number),
                    }
                    .map_err(Error::Encode)?;
                }
                Some(arguments)
            }
            None => None,
        }
    };
}

impl<DB> Queries for DB
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'v> String: Type<DB> + Encode<'v, DB> + Decode<'v, DB>,
    for<'v> i64: Type<DB> + Encode<'v, DB> + Decode<'v, DB>,
    usize: ColumnIndex<DB::Row>,
{
    fn write(connection: &mut DB::Connection, query: Query) -> SqlFuture<'_, ()> {
        Box::pin(async move {
            let arguments = arguments!(DB, query.values);
            connection
                .execute((dynamic_sql!(query.text), arguments))
                .await
                .map(drop)
        })
    }

    fn read(connection: &mut DB::Connection, query: Query) -> SqlFuture<'_, Option<Record>> {
        Box::pin(async move {
            let arguments = arguments!(DB, query.values);
            let row = connection
                .fetch_optional((dynamic_sql!(query.text), arguments))
                .await?;
            row.map(|row| {
                Ok(Record {
                    // Unchecked: with a binary collation, the drivers of MySQL take a text for bytes.
                    claim_token: row.try_get_unchecked(0)?,
                    state: row.try_get(1)?,
                    runs: row.try_get(2)?,
                    leased_until_ms: row.try_get(3)?,
                    expires_at_ms: row.try_get(4)?,
                })
            })
            .transpose()
        })
    }

    fn number(connection: &mut DB::Connection, query: Query) -> SqlFuture<'_, Option<i64>> {
        Box::pin(async move {
            let arguments = arguments!(DB, query.values);
            let row = connection
                .fetch_optional((dynamic_sql!(query.text), arguments))
                .await?;
            row.map(|row| row.try_get(0)).transpose()
        })
    }
}
