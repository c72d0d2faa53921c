//! The code that is compiled once for each version of sqlx, as `sqlx_0_8::versioned` and `sqlx_0_9::versioned`.
//!
//! Only the parent knows the version: it names the crate `sqlx` and defines `example_imports!`, `dynamic_sql!` and
//! `argument_buffer!`.

use super::sqlx;

mod claims;
mod database;
mod errors;
mod table;
mod task_name;
mod transaction;
mod tries;

pub use database::TableDatabase;
pub use table::IdempotencyTable;
pub use task_name::TaskName;
pub use transaction::{CommitError, Transaction};
