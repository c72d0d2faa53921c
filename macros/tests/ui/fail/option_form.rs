//! An option is written `key = value`, once.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct NoValue;

#[task(queue)]
impl Task for NoValue {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct NoValueYet;

#[task(queue =, timeout = )]
impl Task for NoValueYet {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Compared;

#[task(queue == "emails")]
impl Task for Compared {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Positional;

#[task("emails", timeout = "1s")]
impl Task for Positional {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Twice;

#[task(queue = "emails", timeout = "15m", queue = "slow")]
impl Task for Twice {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct NoComma;

#[task(queue = "emails" timeout = "15m")]
impl Task for NoComma {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct NoExpression;

#[task(queue = ?, timeout = "1s")]
impl Task for NoExpression {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

fn main() {}
