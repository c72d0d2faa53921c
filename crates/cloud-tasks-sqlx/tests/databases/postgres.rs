//! The cases on the `PostgreSQL` server that `CLOUD_TASKS_TEST_POSTGRES` names.

use std::time::Duration;

use uuid::Uuid;

use crate::sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use crate::support;

#[path = "../cases/contention.rs"]
mod contention;
#[path = "../cases/creating.rs"]
mod creating;
#[path = "../cases/cut_off.rs"]
mod cut_off;
#[path = "../cases/deferred.rs"]
mod deferred;
#[path = "../cases/ended.rs"]
mod ended;
#[path = "../cases/exactly_once.rs"]
mod exactly_once;
#[path = "../cases/faults.rs"]
mod faults;
#[path = "../cases/on_postgres.rs"]
mod on_postgres;
#[path = "../cases/purging.rs"]
mod purging;
#[path = "../cases/queries.rs"]
mod queries;
#[path = "../cases/table.rs"]
mod table;
#[path = "../cases/task_name.rs"]
mod task_name;
#[path = "../cases/transaction.rs"]
mod transaction;

pub(crate) type Db = crate::sqlx::Postgres;
pub(crate) type Connection = crate::sqlx::PgConnection;

pub(crate) const PLACEHOLDER: &str = "$1";
pub(crate) const BEGIN_WRITING: &str = "BEGIN";
pub(crate) const SERIALIZABLE: &str = "SET default_transaction_isolation = 'serializable'";
pub(crate) const SCHEMA_OF_TABLES: &str = "SELECT current_schema()::text";
/// Counts the indexes of `TABLE` on the expiry.
pub(crate) const INDEXES: &str = "SELECT count(*) FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'TABLE' \
    AND indexdef LIKE '%(expires_at_ms)'";
/// Adds 2,500 rows that have expired.
pub(crate) const MANY_ROWS: &str = "INSERT INTO cloud_tasks_effects SELECT 'expired/' || n, 't', 0, 1, 0, 1 \
    FROM generate_series(1, 2500) AS n";
/// The session that waits for a lock on `TABLE`, or 0.
pub(crate) const WAITING_SESSION: &str = "SELECT coalesce(max(pid), 0)::bigint FROM pg_stat_activity \
    WHERE wait_event_type = 'Lock' AND query LIKE '%TABLE%'";
pub(crate) const KILL: &str = "SELECT pg_terminate_backend(ID)";
/// 1 while there is this session.
pub(crate) const SESSION: &str = "SELECT count(*) FROM pg_stat_activity WHERE pid = ID";

/// A schema of its own on the server, which is not deleted: the server is a throw-away one.
pub(crate) struct Database {
    pub(crate) pool: PgPool,
    schema: String,
}

impl Database {
    pub(crate) async fn new() -> Option<Self> {
        support::server("CLOUD_TASKS_TEST_POSTGRES")?;
        let schema = format!("s{}", Uuid::new_v4().simple());
        let pool = Self::connect(&schema, "SELECT 1").await;
        let create = format!("CREATE SCHEMA {schema}");
        queries::execute(&mut pool.acquire().await.unwrap(), &create)
            .await
            .unwrap();
        Some(Self { pool, schema })
    }

    /// A pool of its own, each of whose connections runs a statement first.
    pub(crate) async fn connected(&self, first: &'static str) -> PgPool {
        Self::connect(&self.schema, first).await
    }

    /// Where another process finds the database.
    pub(crate) fn place(&self) -> String {
        self.schema.clone()
    }

    pub(crate) async fn connected_to(place: &str) -> PgPool {
        Self::connect(place, "SELECT 1").await
    }

    async fn connect(schema: &str, first: &'static str) -> PgPool {
        let url = support::server("CLOUD_TASKS_TEST_POSTGRES").unwrap();
        let options: PgConnectOptions = url.parse().unwrap();
        PgPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(120))
            .after_connect(move |connection, _| {
                Box::pin(async move { queries::execute(connection, first).await })
            })
            .connect_with(options.options([("search_path", schema)]))
            .await
            .unwrap()
    }
}
