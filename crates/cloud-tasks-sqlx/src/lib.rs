//! [sqlx](https://docs.rs/sqlx) for [cloud-tasks](cloud_tasks): transactions that send tasks and messages after their
//! commit, an idempotency store in a table of your database, and names of tasks as text.
//!
//! # Installation
//!
//! Enable the feature of the sqlx version that your program uses:
//!
//! ```sh
//! cargo add cloud-tasks-sqlx --features sqlx-0_8      # with sqlx = "0.8"
//! cargo add cloud-tasks-sqlx --features sqlx-0_9      # with sqlx = "0.9"; needs Rust 1.94
//! ```
//!
//! | feature | module | types of |
//! |---|---|---|
//! | `sqlx-0_8` | `cloud_tasks_sqlx::sqlx_0_8` | sqlx 0.8 |
//! | `sqlx-0_9` | `cloud_tasks_sqlx::sqlx_0_9` | sqlx 0.9 |
//!
//! The modules have the same items. Both features can be on, for example while a workspace moves from one version to the
//! other. No feature is on by default, because a wrong guess would add a second version of sqlx to your program.
//!
//! The crate enables no database, runtime or TLS feature of sqlx; your own dependency on sqlx does. The examples below use
//! sqlx 0.8.
//!
//! # Send after a commit
//!
//! `Transaction` is used like sqlx's own. `on_commit(&mut tx)` adds a task or a message to it. `commit` commits and then
//! sends them; a rollback or a drop sends nothing. A client that hangs up during `commit` changes nothing: the commit and the
//! sending go on, and `serve` waits for them.
//!
#![cfg_attr(feature = "sqlx-0_8", doc = "```")]
#![cfg_attr(not(feature = "sqlx-0_8"), doc = "```ignore")]
//! use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
//! use cloud_tasks_sqlx::sqlx_0_8::Transaction;
//! use serde::{Deserialize, Serialize};
//! # use sqlx_0_8 as sqlx;
//!
//! #[derive(Serialize, Deserialize)]
//! struct WelcomeUser { user_id: i64 }
//!
//! #[task]
//! impl Task for WelcomeUser {
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
//! WelcomeUser { user_id: 7 }.asap().on(&runtime).on_commit(&mut tx)?;
//! assert!(recorder.envelopes().is_empty());
//! tx.commit().await?;
//! recorder.assert_enqueued::<WelcomeUser>(|welcome| welcome.user_id == 7);
//! # Ok(())
//! # }
//! ```
//!
//! A savepoint has its own tasks and messages. They are sent if the savepoint and the transaction around it commit:
//!
#![cfg_attr(feature = "sqlx-0_8", doc = "```")]
#![cfg_attr(not(feature = "sqlx-0_8"), doc = "```ignore")]
//! # use cloud_tasks::{PublisherTask, Runtime, task};
//! # use cloud_tasks_sqlx::sqlx_0_8::Transaction;
//! # use serde::{Deserialize, Serialize};
//! # use sqlx_0_8 as sqlx;
//! # #[derive(Serialize, Deserialize)]
//! # struct RowImported { row: u64 }
//! # #[task]
//! # impl PublisherTask for RowImported {}
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (runtime, recorder) = Runtime::recorded().build().await?;
//! # let pool = sqlx::SqlitePool::connect("sqlite::memory:").await?;
//! let mut tx = Transaction::begin(&pool).await?;
//! let mut row = tx.savepoint().await?;
//! RowImported { row: 1 }.sync().on(&runtime).on_commit(&mut row)?;
//! row.commit().await?;                                  // released; sent with the rest
//! let mut row = tx.savepoint().await?;
//! RowImported { row: 2 }.sync().on(&runtime).on_commit(&mut row)?;
//! row.rollback().await?;                                // never sent
//! tx.commit().await?;
//! assert_eq!(recorder.publications().len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Idempotent tasks on any number of instances
//!
//! `IdempotencyTable` is an [`IdempotencyStore`](cloud_tasks::idempotency::IdempotencyStore) that all instances of a service share:
//!
#![cfg_attr(feature = "sqlx-0_8", doc = "```")]
#![cfg_attr(not(feature = "sqlx-0_8"), doc = "```ignore")]
//! use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
//! use cloud_tasks_sqlx::sqlx_0_8::IdempotencyTable;
//! use serde::{Deserialize, Serialize};
//! # use sqlx_0_8 as sqlx;
//!
//! #[derive(Serialize, Deserialize)]
//! struct ChargeInvoice { invoice: u64 }
//!
//! #[task(idempotent)]
//! impl Task for ChargeInvoice {
//!     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), cloud_tasks::BoxError> {
//! # let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
//! let table = IdempotencyTable::new(&pool);
//! table.create().await?;                      // or in a migration: see `create_statements()`
//! let runtime = Runtime::eager().idempotency(table).build().await?;
//! ChargeInvoice { invoice: 7 }.asap().on(&runtime).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Names of tasks in a column
//!
//! A rule in a database says which task it runs. `TaskName` reads a [`cloud_tasks::task::TaskName`] from a column of text and
//! binds it. The name of a task that does not exist is an error when the rule is read, not when it runs:
//!
#![cfg_attr(feature = "sqlx-0_8", doc = "```")]
#![cfg_attr(not(feature = "sqlx-0_8"), doc = "```ignore")]
//! use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
//! use cloud_tasks_sqlx::sqlx_0_8::TaskName;
//! use serde::{Deserialize, Serialize};
//! # use sqlx_0_8 as sqlx;
//!
//! #[derive(Serialize, Deserialize)]
//! struct RemindCustomer { customer: u64 }
//!
//! #[task]
//! impl Task for RemindCustomer {
//!     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (runtime, recorder) = Runtime::recorded().build().await?;
//! # let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
//! sqlx::query("CREATE TABLE rules (event TEXT NOT NULL, task TEXT NOT NULL)").execute(&pool).await?;
//! let insert = "INSERT INTO rules (event, task) VALUES (?, ?)";
//! let task = TaskName(cloud_tasks::task::TaskName::of::<RemindCustomer>());
//! sqlx::query(insert).bind("overdue").bind(task).execute(&pool).await?;
//! sqlx::query(insert).bind("paid").bind("ThankCustomer").execute(&pool).await?;
//!
//! let find = "SELECT task FROM rules WHERE event = ?";
//! let task: TaskName = sqlx::query_scalar(find).bind("overdue").fetch_one(&pool).await?;
//! runtime.enqueue_named(task, serde_json::json!({"customer": 7}))?.await?;
//! recorder.assert_enqueued::<RemindCustomer>(|reminder| reminder.customer == 7);
//!
//! let error = sqlx::query_scalar::<_, TaskName>(find).bind("paid").fetch_one(&pool).await.unwrap_err();
//! assert!(error.to_string().contains("\"ThankCustomer\" is not the name of a task"));
//! # Ok(())
//! # }
//! ```
//!
//! # Exactly once, in your own database
//!
//! If the effect of a task is in the same database, one transaction can hold both the effect and its claim. They are
//! committed together or not at all, so the effect happens exactly once, even if the process crashes:
//!
#![cfg_attr(feature = "sqlx-0_8", doc = "```")]
#![cfg_attr(not(feature = "sqlx-0_8"), doc = "```ignore")]
//! use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
//! use cloud_tasks_sqlx::sqlx_0_8::{IdempotencyTable, Transaction};
//! use serde::{Deserialize, Serialize};
//! # use sqlx_0_8 as sqlx;
//! use sqlx::{Sqlite, SqlitePool};
//!
//! #[derive(Serialize, Deserialize)]
//! struct BookTable { booking: i64 }
//!
//! #[task]
//! impl Task for BookTable {
//!     async fn run(self, cx: Context<(SqlitePool, IdempotencyTable<Sqlite>)>) -> TaskResult {
//!         let (pool, table) = cx.state();
//!         let mut tx = Transaction::begin(pool).await?;
//!         if table.claim_in(&mut tx, format!("booking-{}", self.booking)).await? {
//!             sqlx::query("INSERT INTO bookings (id) VALUES (?)").bind(self.booking).execute(&mut *tx).await?;
//!         }
//!         tx.commit().await?;
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
//! sqlx::query("CREATE TABLE bookings (id INTEGER)").execute(&pool).await?;
//! let table = IdempotencyTable::new(&pool);
//! table.create().await?;
//! let runtime = Runtime::eager().state(pool.clone()).state(table.clone()).build().await?;
//! for _ in 0..2 {
//!     BookTable { booking: 7 }.asap().on(&runtime).await?;
//! }
//! let bookings: i64 = sqlx::query_scalar("SELECT count(*) FROM bookings").fetch_one(&pool).await?;
//! assert_eq!(bookings, 1);
//! table.purge().await?;                       // now and then: deletes what is past its retention
//! # Ok(())
//! # }
//! ```
//!
//! To send a message from this transaction, add it with `on_commit(&mut tx)`. If the process dies after the commit, or the
//! first send is refused, that message is lost: the retry finds the effect claimed. See the idempotency guide.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(
    clippy::duplicate_mod,
    reason = "`versioned` is compiled once for each version of sqlx"
)]

#[cfg(not(any(feature = "sqlx-0_8", feature = "sqlx-0_9")))]
compile_error!(
    "cloud-tasks-sqlx has to know your version of sqlx: enable its feature `sqlx-0_8` if you depend on sqlx 0.8, or \
     `sqlx-0_9` if you depend on sqlx 0.9 (for example `cargo add cloud-tasks-sqlx --features sqlx-0_8`)"
);

#[cfg(any(feature = "sqlx-0_8", feature = "sqlx-0_9"))]
mod names;
#[cfg(any(feature = "sqlx-0_8", feature = "sqlx-0_9"))]
mod queries;
#[cfg(feature = "sqlx-0_8")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlx-0_8")))]
pub mod sqlx_0_8;
#[cfg(feature = "sqlx-0_9")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlx-0_9")))]
pub mod sqlx_0_9;
#[cfg(any(feature = "sqlx-0_8", feature = "sqlx-0_9"))]
mod statements;
