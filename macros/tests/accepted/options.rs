//! Every option, as a literal.
#![deny(warnings)]

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Bare;

#[task]
impl Task for Bare {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Empty;

#[task()]
impl Task for Empty {
    async fn run(self, _: Context<()>) -> TaskResult<()> {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Full;

#[task(
    name = "emails.welcome-2_x",
    aliases = ["Welcome", "emails.welcome"],
    queue = "emails",
    timeout = "1m 30s",
    idempotent,
    crate = "cloud_tasks",
)]
impl Task for Full {
    async fn run(mut self, cx: Context) -> TaskResult<u32> {
        self = Full;
        Ok(cx.metadata().attempt())
    }
}

#[derive(Serialize, Deserialize)]
struct NoAliases;

#[task(aliases = [], timeout = "30m", idempotent = false)]
impl Task for NoAliases {
    async fn run(self: Self, _cx: Context) -> TaskResult {
        Ok(())
    }
}
