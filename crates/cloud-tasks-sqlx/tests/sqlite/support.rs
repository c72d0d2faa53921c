//! A database, and the fixtures that the tests of cloud-tasks use too.

use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use crate::integration::IdempotencyTable;
use crate::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use crate::sqlx::{Sqlite, SqlitePool};

#[path = "../../../../tests/support/commit.rs"]
pub(crate) mod commit;
#[path = "../../../../tests/support/deliveries.rs"]
pub(crate) mod deliveries;
#[path = "../../../../tests/support/effects.rs"]
mod effects;
#[path = "../../../../tests/support/store_contract.rs"]
pub(crate) mod store_contract;

/// A database in a file, which several connections share; deleted when dropped.
pub(crate) struct Database {
    pub(crate) pool: SqlitePool,
    path: PathBuf,
}

impl Database {
    pub(crate) async fn new() -> Self {
        let path = std::env::temp_dir().join(format!("cloud-tasks-{}.db", Uuid::new_v4()));
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Off)
            .busy_timeout(Duration::from_secs(60));
        let pool = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(120))
            .connect_with(options)
            .await
            .unwrap();
        Self { pool, path }
    }

    pub(crate) async fn table(&self) -> IdempotencyTable<Sqlite> {
        let table = IdempotencyTable::new(&self.pool);
        table.create().await.unwrap();
        table
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
