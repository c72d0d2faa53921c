//! What the table asks of a database of sqlx's, whichever it is.

use std::pin::Pin;

use ::sqlx::{Arguments, ColumnIndex, Database, Decode, Encode, Error, Executor, Row, Type};

/// A database that can keep an [`IdempotencyTable`](crate::sqlx::IdempotencyTable): `PostgreSQL`, `MySQL` and `SQLite`.
///
/// It is implemented already for every database of sqlx's that reads and writes texts and numbers.
pub trait TableDatabase: Database {
    /// Runs a statement that changes rows.
    #[doc(hidden)]
    fn write<'c>(
        connection: &'c mut Self::Connection,
        statement: &'static str,
        values: Vec<Value>,
    ) -> SqlFuture<'c, ()>;

    /// Runs a statement that reads at most one row.
    #[doc(hidden)]
    fn read<'c>(
        connection: &'c mut Self::Connection,
        statement: &'static str,
        values: Vec<Value>,
    ) -> SqlFuture<'c, Option<Record>>;
}

/// What a statement returns.
#[allow(unreachable_pub, reason = "a part of what is hidden of the trait")]
pub type SqlFuture<'c, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'c>>;

/// A value that is bound to a statement.
#[derive(Clone, Debug)]
pub enum Value {
    Text(String),
    Number(i64),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// A row of the table.
#[derive(Debug)]
pub struct Record {
    pub(super) claim: String,
    pub(super) done: i64,
    pub(super) until_ms: i64,
}

impl<DB> TableDatabase for DB
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
                    claim: row.try_get(0)?,
                    done: row.try_get(1)?,
                    until_ms: row.try_get(2)?,
                })
            })
            .transpose()
        })
    }
}
