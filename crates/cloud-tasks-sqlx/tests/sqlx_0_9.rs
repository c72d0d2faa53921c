//! The crate over sqlx 0.9, on each database.
#![cfg(feature = "sqlx-0_9")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]
#![allow(
    clippy::duplicate_mod,
    reason = "the cases are compiled once for each database"
)]

use cloud_tasks_sqlx::sqlx_0_9 as integration;
use sqlx_0_9 as sqlx;

#[path = "databases/mariadb.rs"]
mod mariadb;
#[path = "databases/postgres.rs"]
mod postgres;
#[path = "databases/sqlite.rs"]
mod sqlite;
// Once: a program holds each of its tasks once.
#[path = "databases/support.rs"]
mod support;

/// A statement that is not `'static`.
fn raw(text: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(text.to_owned())
}
