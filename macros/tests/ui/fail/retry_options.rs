//! The options of retries are checked where they stand.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Never;

#[task(max_attempts = 0)]
impl Task for Never {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Nowhere;

#[task(max_attempts = 2, dead_letter_topic = "dead tasks")]
impl Task for Nowhere {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Typo;

#[task(max_attempt = 2)]
impl Task for Typo {
    async fn run(self, _: Context) -> TaskResult {
        Ok(())
    }
}

fn main() {}
