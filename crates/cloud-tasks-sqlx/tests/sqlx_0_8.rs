//! The crate over sqlx 0.8, on `SQLite`.
#![cfg(feature = "sqlx-0_8")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use cloud_tasks_sqlx::sqlx_0_8 as integration;
use sqlx_0_8 as sqlx;

// Compiled once for each version of sqlx: a program holds each of its tasks once.
#[path = "sqlite/exactly_once.rs"]
mod exactly_once;
#[path = "sqlite/support.rs"]
mod support;
#[path = "sqlite/table.rs"]
mod table;
#[path = "sqlite/transaction.rs"]
mod transaction;
