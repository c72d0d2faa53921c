//! The crate is a path.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Text;

#[task(crate = "not a path")]
impl Task for Text {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Number;

#[task(crate = 7)]
impl Task for Number {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Call;

#[task(crate = jobs())]
impl Task for Call {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Arguments;

#[task(crate = jobs::<u8>)]
impl Task for Arguments {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

fn main() {}
