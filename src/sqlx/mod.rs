//! Transactions of `sqlx` that send after their commit, and a table of the effects that happened (feature `sqlx`).
//!
//! [`Transaction`] is used as sqlx's own is. Tasks and messages are handed to it while it is open; its
//! [`commit`](Transaction::commit) sends them after the commit, a rollback and a drop send nothing.
//!
//! ```standalone_crate
//! use cloud_tasks::{Context, Runtime, Task, TaskResult, task, sqlx::Transaction};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct SendWelcomeEmail { user_id: i64 }
//!
//! #[task]
//! impl Task for SendWelcomeEmail {
//!     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (runtime, recorder) = Runtime::recorded().build().await?;
//! let pool = sqlx::SqlitePool::connect("sqlite::memory:").await?;
//! let mut tx = Transaction::begin(&pool).await?;
//! sqlx::query("CREATE TABLE users (id INTEGER PRIMARY KEY)").execute(&mut *tx).await?;
//! sqlx::query("INSERT INTO users (id) VALUES (?)").bind(7).execute(&mut *tx).await?;
//! SendWelcomeEmail { user_id: 7 }.asap().on(&runtime).on_commit(&mut tx)?;
//! assert!(recorder.envelopes().is_empty());
//! tx.commit().await?;
//! recorder.assert_enqueued::<SendWelcomeEmail>(|email| email.user_id == 7);
//! # Ok(())
//! # }
//! ```
//!
//! # Versions
//!
//! It takes sqlx 0.8 and 0.9, and must share yours: where the compiler tells two of them apart,
//! `cargo update -p sqlx@0.9.0 --precise 0.8.6` makes them one.

pub(crate) mod database;
pub(crate) mod statements;
pub(crate) mod table;
pub(crate) mod transaction;

pub use database::TableDatabase;
pub use table::IdempotencyTable;
pub use transaction::{CommitError, Transaction};
