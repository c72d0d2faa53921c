//! The cases on the `MariaDB` server that `CLOUD_TASKS_TEST_MARIADB` names.

use std::time::Duration;

use uuid::Uuid;

use crate::sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use crate::support;

#[path = "../cases/contention.rs"]
mod contention;
#[path = "../cases/creating.rs"]
mod creating;
#[path = "../cases/cut_off.rs"]
mod cut_off;
#[path = "../cases/ended.rs"]
mod ended;
#[path = "../cases/exactly_once.rs"]
mod exactly_once;
#[path = "../cases/faults.rs"]
mod faults;
#[path = "../cases/on_mariadb.rs"]
mod on_mariadb;
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

pub(crate) type Db = crate::sqlx::MySql;
pub(crate) type Connection = crate::sqlx::MySqlConnection;

pub(crate) const PLACEHOLDER: &str = "?";
pub(crate) const BEGIN_WRITING: &str = "BEGIN";
pub(crate) const SERIALIZABLE: &str = "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE";
pub(crate) const SCHEMA_OF_TABLES: &str = "SELECT DATABASE()";
/// Counts the indexes of `TABLE` on the expiry.
pub(crate) const INDEXES: &str = "SELECT count(*) FROM information_schema.statistics WHERE table_schema = DATABASE() \
    AND table_name = 'TABLE' AND column_name = 'expires_at_ms'";
/// Adds 2,500 rows that have expired.
pub(crate) const MANY_ROWS: &str =
    "INSERT INTO cloud_tasks_effects SELECT concat('expired/', seq), 't', 0, 1, 0, 1 FROM seq_1_to_2500";
/// The session that waits for a lock on `TABLE`, or 0.
pub(crate) const WAITING_SESSION: &str = "SELECT CAST(coalesce(max(id), 0) AS SIGNED) FROM information_schema.processlist \
    WHERE db = DATABASE() AND id <> connection_id() AND info LIKE '%innodb_lock_wait_timeout%TABLE%'";
pub(crate) const KILL: &str = "KILL ID";
/// 1 while there is this session.
pub(crate) const SESSION: &str = "SELECT count(*) FROM information_schema.processlist WHERE id = ID";

/// A database of its own on the server, which is not deleted: the server is a throw-away one.
pub(crate) struct Database {
    pub(crate) pool: MySqlPool,
    name: String,
}

impl Database {
    pub(crate) async fn new() -> Option<Self> {
        let url = support::server("CLOUD_TASKS_TEST_MARIADB")?;
        let name = format!("s{}", Uuid::new_v4().simple());
        let server = MySqlPool::connect(&url).await.unwrap();
        let create = format!("CREATE DATABASE {name}");
        queries::execute(&mut server.acquire().await.unwrap(), &create)
            .await
            .unwrap();
        let pool = Self::connect(&name, "SELECT 1").await;
        Some(Self { pool, name })
    }

    /// A pool of its own, each of whose connections runs a statement first.
    pub(crate) async fn connected(&self, first: &'static str) -> MySqlPool {
        Self::connect(&self.name, first).await
    }

    /// Where another process finds the database.
    pub(crate) fn place(&self) -> String {
        self.name.clone()
    }

    pub(crate) async fn connected_to(place: &str) -> MySqlPool {
        Self::connect(place, "SELECT 1").await
    }

    async fn connect(name: &str, first: &'static str) -> MySqlPool {
        let url = support::server("CLOUD_TASKS_TEST_MARIADB").unwrap();
        let options: MySqlConnectOptions = url.parse().unwrap();
        MySqlPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(120))
            .after_connect(move |connection, _| {
                Box::pin(async move { queries::execute(connection, first).await })
            })
            .connect_with(options.database(name))
            .await
            .unwrap()
    }
}
