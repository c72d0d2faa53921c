//! The cases on `SQLite`.

use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use crate::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

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

pub(crate) type Db = crate::sqlx::Sqlite;
pub(crate) type Connection = crate::sqlx::SqliteConnection;

pub(crate) const PLACEHOLDER: &str = "?";
/// `SQLite` cannot turn a reading transaction into a writing one while another one writes.
pub(crate) const BEGIN_WRITING: &str = "BEGIN IMMEDIATE";
pub(crate) const SERIALIZABLE: &str = "SELECT 1";
pub(crate) const SCHEMA_OF_TABLES: &str = "SELECT 'main'";
/// Counts the indexes of `TABLE` on the expiry.
pub(crate) const INDEXES: &str =
    "SELECT count(*) FROM sqlite_master WHERE tbl_name = 'TABLE' AND sql LIKE 'CREATE INDEX%(expires_at_ms)'";
/// Adds 2,500 rows that have expired.
pub(crate) const MANY_ROWS: &str = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2500) \
    INSERT INTO cloud_tasks_effects SELECT 'expired/' || n, 't', 0, 1, 0, 1 FROM numbers";

/// A database in a file, which several connections share; deleted when dropped.
pub(crate) struct Database {
    pub(crate) pool: SqlitePool,
    path: PathBuf,
}

impl Database {
    pub(crate) async fn new() -> Option<Self> {
        let path = std::env::temp_dir().join(format!("cloud-tasks-{}.db", Uuid::new_v4()));
        let pool = Self::connect(&path, "SELECT 1").await;
        Some(Self { pool, path })
    }

    /// A pool of its own, each of whose connections runs a statement first.
    pub(crate) async fn connected(&self, first: &'static str) -> SqlitePool {
        Self::connect(&self.path, first).await
    }

    /// Where another process finds the database.
    pub(crate) fn place(&self) -> String {
        self.path.to_str().unwrap().to_owned()
    }

    pub(crate) async fn connected_to(place: &str) -> SqlitePool {
        Self::connect(&PathBuf::from(place), "SELECT 1").await
    }

    async fn connect(path: &PathBuf, first: &'static str) -> SqlitePool {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Off)
            .busy_timeout(Duration::from_secs(60));
        SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(120))
            .after_connect(move |connection, _| {
                Box::pin(async move { queries::execute(connection, first).await })
            })
            .connect_with(options)
            .await
            .unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut path = self.path.clone().into_os_string();
            path.push(suffix);
            // They do not all exist.
            let _ = std::fs::remove_file(path);
        }
    }
}
