//! Queries of tests, as texts: placeholders differ between databases.

use super::{Connection, Db};
use crate::sqlx::{Error, Executor, Pool, Row};

pub(crate) async fn execute(connection: &mut Connection, text: &str) -> Result<(), Error> {
    connection.execute(crate::raw(text)).await.map(drop)
}

/// Executes a statement on any connection.
pub(crate) async fn run(pool: &Pool<Db>, text: &str) {
    execute(&mut pool.acquire().await.unwrap(), text).await.unwrap();
}

/// The number in the first row.
pub(crate) async fn number(pool: &Pool<Db>, text: &str) -> i64 {
    let mut connection = pool.acquire().await.unwrap();
    connection.fetch_one(crate::raw(text)).await.unwrap().get(0)
}

/// The text in the first row.
pub(crate) async fn text(pool: &Pool<Db>, text: &str) -> String {
    let mut connection = pool.acquire().await.unwrap();
    connection.fetch_one(crate::raw(text)).await.unwrap().get(0)
}
