//! A row and a task in one transaction: the task is sent after the commit, and not at all after a rollback.
//!
//! ```text
//! cargo run -p cloud-tasks-sqlx --features sqlx-0_8 --example transaction
//! ```
#![allow(clippy::print_stdout, reason = "the output is for the person at the terminal")]

use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use cloud_tasks_sqlx::sqlx_0_8::Transaction;
use serde::{Deserialize, Serialize};
use sqlx_0_8 as sqlx;
use sqlx_0_8::SqlitePool;
use sqlx_0_8::sqlite::SqlitePoolOptions;

/// Greets a new user.
#[derive(Debug, Deserialize, Serialize)]
struct Greet {
    user: i64,
}

#[task]
impl Task for Greet {
    async fn run(self, _cx: Context) -> TaskResult {
        println!("welcome, user {}", self.user);
        Ok(())
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

async fn database() -> Result<SqlitePool, BoxError> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await?;
    sqlx::query("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
        .execute(&pool)
        .await?;
    Ok(pool)
}

/// Adds a user, and greets it once the row is committed. An error on the way rolls both back.
async fn sign_up(pool: &SqlitePool, name: &str) -> Result<i64, BoxError> {
    let mut tx = Transaction::begin(pool).await?;
    let added = sqlx::query("INSERT INTO users (name) VALUES (?)")
        .bind(name)
        .execute(&mut *tx)
        .await?;
    let user = added.last_insert_rowid();
    Greet { user }.asap().on_commit(&mut tx)?;
    if name.is_empty() {
        return Err("a user needs a name".into());
    }
    tx.commit().await?;
    Ok(user)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let runtime = Runtime::eager().build().await?;
    let pool = database().await?;
    runtime.scope(sign_up(&pool, "Ada")).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_guide_shows_this_program() {
        let guide = include_str!("../../../src/guide/transactions.md");
        let shown = guide.split("```rust ignore\n").nth(1).unwrap();
        let (shown, _) = shown.split_once("```").unwrap();

        assert!(include_str!("transaction.rs").contains(shown), "{shown}");
    }

    #[tokio::test]
    async fn the_task_is_sent_after_the_commit_and_not_after_a_rollback() {
        let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
        let pool = database().await.unwrap();

        let user = runtime.scope(sign_up(&pool, "Ada")).await.unwrap();
        runtime.scope(sign_up(&pool, "")).await.unwrap_err();
        runtime.scope(sign_up(&pool, "Ada")).await.unwrap_err();

        let greeted: Vec<_> = recorder
            .enqueued::<Greet>()
            .into_iter()
            .map(|greet| greet.user)
            .collect();
        assert_eq!(greeted, [user]);
        let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(users, 1);
    }
}
