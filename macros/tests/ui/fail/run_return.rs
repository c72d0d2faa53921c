//! `run` is async and gives back a `TaskResult`.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Unit;

#[task]
impl Task for Unit {
    async fn run(self, _cx: Context) {}
}

#[derive(Serialize, Deserialize)]
struct NotAsync;

#[task]
impl Task for NotAsync {
    fn run(self, _cx: Context) -> TaskResult<u8> {
        Ok(1)
    }
}

#[derive(Serialize, Deserialize)]
struct NotAsyncWritten;

#[task]
impl Task for NotAsyncWritten {
    type Output = u8;

    fn run(self, _cx: Context) -> Result<u8, cloud_tasks::TaskError> {
        Ok(1)
    }
}

#[derive(Serialize, Deserialize)]
struct Plain;

#[task]
impl Task for Plain {
    async fn run(self, _cx: Context) -> String {
        String::new()
    }
}

#[derive(Serialize, Deserialize)]
struct Foreign;

#[task]
impl Task for Foreign {
    async fn run(self, _cx: Context) -> Result<Vec<u8>, std::io::Error> {
        Ok(Vec::new())
    }
}

#[derive(Serialize, Deserialize)]
struct Io;

#[task]
impl Task for Io {
    async fn run(self, _cx: Context) -> std::io::Result<()> {
        Ok(())
    }
}

fn main() {}
