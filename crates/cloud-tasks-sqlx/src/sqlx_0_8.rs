//! Transactions that send after their commit, an idempotency store and names of tasks as text, for sqlx 0.8.
//!
//! See the [crate documentation](crate) for examples.

use ::sqlx_0_8 as sqlx;

/// The hidden start of an example in `versioned`, which is compiled once for each version of sqlx.
macro_rules! example_imports {
    () => {
        "# use sqlx_0_8 as sqlx;\n# use cloud_tasks_sqlx::sqlx_0_8::{IdempotencyTable, Transaction};"
    };
}

/// A statement that is not `'static`, from an `Arc<str>`.
macro_rules! dynamic_sql {
    ($text:expr) => {
        &*$text
    };
}

/// What the values of a statement of a database are encoded into.
macro_rules! argument_buffer {
    ($DB:ident, $lifetime:lifetime) => {
        $DB::ArgumentBuffer<$lifetime>
    };
}

#[path = "versioned/mod.rs"]
mod versioned;

pub use versioned::{CommitError, IdempotencyTable, TableDatabase, TaskName, Transaction};
