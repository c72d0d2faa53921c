//! Transactions that send after their commit, an idempotency store and names of tasks as text, for sqlx 0.9.
//!
//! See the [crate documentation](crate) for examples.

use ::sqlx_0_9 as sqlx;

/// The hidden start of an example in `versioned`, which is compiled once for each version of sqlx.
macro_rules! example_imports {
    () => {
        "# use sqlx_0_9 as sqlx;\n# use cloud_tasks_sqlx::sqlx_0_9::{IdempotencyTable, Transaction};"
    };
}

/// A statement that is not `'static`, from an `Arc<str>`.
macro_rules! dynamic_sql {
    ($text:expr) => {
        ::sqlx_0_9::AssertSqlSafe($text)
    };
}

/// What the values of a statement of a database are encoded into.
macro_rules! argument_buffer {
    ($DB:ident, $lifetime:lifetime) => {
        $DB::ArgumentBuffer
    };
}

#[path = "versioned/mod.rs"]
mod versioned;

pub use versioned::{CommitError, IdempotencyTable, TableDatabase, TaskName, Transaction};
