//! A type that cannot be read off the signature is to be written.

use cloud_tasks::{Context, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

type Cx = Context<String>;
type Outcome = TaskResult<String>;
type Future = std::pin::Pin<Box<dyn std::future::Future<Output = TaskResult> + Send>>;

#[derive(Serialize, Deserialize)]
struct AliasedContext;

#[task]
impl Task for AliasedContext {
    async fn run(self, cx: Cx) -> TaskResult<usize> {
        Ok(cx.state().len())
    }
}

#[derive(Serialize, Deserialize)]
struct AliasedResult;

#[task]
impl Task for AliasedResult {
    async fn run(self, cx: Context<String>) -> Outcome {
        Ok(cx.state().clone())
    }
}

#[derive(Serialize, Deserialize)]
struct Both;

#[task]
impl Task for Both {
    async fn run(self, cx: Cx) -> Outcome {
        Ok(cx.state().clone())
    }
}

#[derive(Serialize, Deserialize)]
struct AliasedFuture;

#[task]
impl Task for AliasedFuture {
    fn run(self, _cx: Context) -> Future {
        Box::pin(async { Ok(()) })
    }
}

#[derive(Serialize, Deserialize)]
struct OwnTypes;

#[task]
impl Task for OwnTypes {
    async fn run(self, cx: Context<Self::State>) -> TaskResult<Option<Self::Output>> {
        let _ = cx.state();
        Ok(None)
    }
}

#[derive(Serialize, Deserialize)]
struct Referenced;

#[task]
impl Task for Referenced {
    async fn run(self, cx: &Context<String>) -> TaskResult {
        let _ = cx.state();
        Ok(())
    }
}

fn main() {}
