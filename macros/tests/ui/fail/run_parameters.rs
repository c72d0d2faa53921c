//! `run` takes the task by value, then the context, and nothing else.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Reference;

#[task]
impl Task for Reference {
    async fn run(&self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Exclusive;

#[task]
impl Task for Exclusive {
    async fn run(&mut self, _cx: Context<String>) -> TaskResult<u8> {
        Ok(1)
    }
}

#[derive(Serialize, Deserialize)]
struct Boxed;

#[task]
impl Task for Boxed {
    async fn run(self: Box<Self>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct NoReceiver;

#[task]
impl Task for NoReceiver {
    async fn run(_cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct NoContext;

#[task]
impl Task for NoContext {
    async fn run(self) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Nothing;

#[task]
impl Task for Nothing {
    async fn run() -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct More;

#[task]
impl Task for More {
    async fn run(self, _cx: Context, user_id: u64) -> TaskResult<u64> {
        Ok(user_id)
    }
}

fn main() {}
