//! A queue that is written out is checked where it stands.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Underscore;

#[task(queue = "my_queue")]
impl Task for Underscore {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Empty;

#[task(queue = "")]
impl Task for Empty {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Path;

#[task(queue = "projects/p/locations/l/queues/q")]
impl Task for Path {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Number;

#[task(queue = -1)]
impl Task for Number {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

fn main() {}
