//! `run` may be written in each of the ways that the trait takes.
#![deny(warnings)]

use std::pin::Pin;

use cloud_tasks::{Context, Task, TaskError, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct NotAsync;

#[task]
impl Task for NotAsync {
    fn run(self, cx: Context) -> impl Future<Output = TaskResult<u32>> + Send {
        let attempt = cx.metadata().attempt();
        async move { Ok(attempt) }
    }
}

#[derive(Serialize, Deserialize)]
struct SendFirst;

#[task]
impl Task for SendFirst {
    fn run(self, _: Context) -> impl Send + std::future::Future<Output = TaskResult> {
        async { Ok(()) }
    }
}

#[derive(Serialize, Deserialize)]
struct Boxed;

#[task]
impl Task for Boxed {
    type Output = u8;

    #[allow(refining_impl_trait)]
    fn run(self, _: Context) -> Pin<Box<dyn Future<Output = TaskResult<u8>> + Send>> {
        Box::pin(async { Ok(1) })
    }
}

#[derive(Serialize, Deserialize)]
struct PlainResult;

#[task]
impl Task for PlainResult {
    async fn run(self, _: Context) -> Result<String, TaskError> {
        Ok(String::new())
    }
}

type Result2<T> = std::result::Result<T, TaskError>;

#[derive(Serialize, Deserialize)]
struct OwnResult;

#[task]
impl Task for OwnResult {
    type Output = u8;

    async fn run(self, _: Context) -> Result2<u8> {
        Ok(1)
    }
}

#[derive(Serialize, Deserialize)]
struct WithAttributes {
    count: u8,
}

/// The attributes and the comments of the user stay.
#[task]
#[allow(unused_variables)]
impl Task for WithAttributes {
    /// Runs.
    #[allow(clippy::unused_async)]
    async fn run(self, #[allow(unused)] cx: Context) -> TaskResult<u8> {
        struct Inside<const N: usize>;
        let unused = Inside::<{ 1 + 1 }>;
        Ok(self.count)
    }
}
