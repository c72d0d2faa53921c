//! The cases on the `MariaDB` server that `CLOUD_TASKS_TEST_MARIADB` names.

use std::time::Duration;

use uuid::Uuid;

use crate::sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use crate::support;

#[path = "../cases/cut_off.rs"]
mod cut_off;
#[path = "../cases/ended.rs"]
mod ended;
#[path = "../cases/exactly_once.rs"]
mod exactly_once;
#[path = "../cases/on_mariadb.rs"]
mod on_mariadb;
#[path = "../cases/queries.rs"]
mod queries;
#[path = "../cases/table.rs"]
mod table;
#[path = "../cases/transaction.rs"]
mod transaction;

pub(crate) type Db = crate::sqlx::MySql;
pub(crate) type Connection = crate::sqlx::MySqlConnection;

pub(crate) const BEGIN_WRITING: &str = "BEGIN";

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
