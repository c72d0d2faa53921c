//! The queries of the idempotency table, for any database of sqlx.

use std::pin::Pin;

use super::sqlx::{Arguments, ColumnIndex, Database, Decode, Encode, Error, Executor, Row, Type};

/// A database that can hold an [`IdempotencyTable`](super::IdempotencyTable): `PostgreSQL`, `MySQL` and `SQLite`.
///
/// Implemented for every database of sqlx that reads and writes texts and numbers; it cannot be implemented otherwise.
pub trait TableDatabase: Queries {}

impl<DB: Queries> TableDatabase for DB {}

/// Seals [`TableDatabase`], and keeps the bounds on a database out of every signature that needs one.
pub trait Queries: Database {
    /// Runs a statement that changes rows.
    fn write<'c>(
        connection: &'c mut Self::Connection,
        statement: &'static str,
        values: Vec<Value>,
    ) -> SqlFuture<'c, ()>;

    /// Runs a statement that reads at most one row.
    fn read<'c>(
        connection: &'c mut Self::Connection,
        statement: &'static str,
        values: Vec<Value>,
    ) -> SqlFuture<'c, Option<Record>>;
}

/// What a query returns.
#[allow(unreachable_pub, reason = "part of a sealed trait")]
pub type SqlFuture<'c, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'c>>;

/// A value that is bound to a statement.
#[derive(Clone, Debug)]
pub enum Value {
    Text(String),
    Number(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// A row of the table.
#[derive(Debug)]
pub struct Record {
    pub(super) claim_token: String,
    pub(super) state: i64,
    pub(super) runs: i64,
    pub(super) leased_until_ms: i64,
    pub(super) expires_at_ms: i64,
}

impl<DB> Queries for DB
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'v> String: Type<DB> + Encode<'v, DB> + Decode<'v, DB>,
    for<'v> i64: Type<DB> + Encode<'v, DB> + Decode<'v, DB>,
    usize: ColumnIndex<DB::Row>,
{
    fn write<'c>(
        connection: &'c mut DB::Connection,
        statement: &'static str,
        values: Vec<Value>,
    ) -> SqlFuture<'c, ()> {
        let mut arguments = <DB as Database>::Arguments::default();
        let bound = values.into_iter().try_for_each(|value| match value {
            Value::Text(text) => arguments.add(text),
            Value::Number(number) => arguments.add(number),
        });
        Box::pin(async move {
            bound.map_err(Error::Encode)?;
            connection.execute((statement, Some(arguments))).await.map(drop)
        })
    }

    fn read<'c>(
        connection: &'c mut DB::Connection,
        statement: &'static str,
        values: Vec<Value>,
    ) -> SqlFuture<'c, Option<Record>> {
        let mut arguments = <DB as Database>::Arguments::default();
        let bound = values.into_iter().try_for_each(|value| match value {
            Value::Text(text) => arguments.add(text),
            Value::Number(number) => arguments.add(number),
        });
        Box::pin(async move {
            bound.map_err(Error::Encode)?;
            let row = connection.fetch_optional((statement, Some(arguments))).await?;
            row.map(|row| {
                Ok(Record {
                    claim_token: row.try_get(0)?,
                    state: row.try_get(1)?,
                    runs: row.try_get(2)?,
                    leased_until_ms: row.try_get(3)?,
                    expires_at_ms: row.try_get(4)?,
                })
            })
            .transpose()
        })
    }
}
