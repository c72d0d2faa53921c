//! A task is one type, and has a name of its own.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Wrapper<T>(T);

#[task]
impl<T: Serialize + serde::de::DeserializeOwned + Send + 'static> Task for Wrapper<T> {
    async fn run(self, _cx: Context) -> TaskResult<T> {
        Ok(self.0)
    }
}

#[derive(Serialize, Deserialize)]
struct Where<T>(T);

#[task(name = "Where")]
impl<T> Task for Where<T>
where
    T: Serialize + serde::de::DeserializeOwned + Send + 'static,
{
    async fn run(self, _cx: Context) -> TaskResult<T> {
        Ok(self.0)
    }
}

#[derive(Serialize, Deserialize)]
struct Many<T>(T);

#[task]
impl Task for Many<Vec<u32>> {
    async fn run(self, _cx: Context) -> TaskResult<Vec<u32>> {
        Ok(self.0)
    }
}

fn main() {}
