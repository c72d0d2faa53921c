//! A worker without a web framework: hyper calls the service of the runtime.
//!
//! ```text
//! CLOUD_TASKS_MODE=local cargo run --example hyper
//! ```
#![allow(clippy::print_stdout, reason = "the output is for the person at the terminal")]

use std::error::Error;

use cloud_tasks::{Config, Context, Runtime, Task, TaskResult, task};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// Resizes a picture.
#[derive(Debug, Deserialize, Serialize)]
struct ResizePicture {
    name: String,
}

#[task(queue = "pictures")]
impl Task for ResizePicture {
    async fn run(self, cx: Context) -> TaskResult<String> {
        println!("{} in attempt {}", self.name, cx.metadata().attempt());
        Ok(format!("small-{}", self.name))
    }
}

/// Accepts connections forever. `Runtime::serve` also has time limits and a graceful stop.
async fn serve(listener: TcpListener, runtime: Runtime) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(runtime.service());
        tokio::spawn(async move {
            let connection = Builder::new(TokioExecutor::new());
            if let Err(error) = connection.serve_connection(TokioIo::new(stream), service).await {
                println!("a connection failed: {error}");
            }
        });
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    let runtime = Runtime::builder().config(Config::from_env()?).build().await?;
    let name = String::from("cat.png");
    ResizePicture { name }.asap().on(&runtime).await?;
    serve(listener, runtime).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn a_task_comes_back_to_hyper_and_runs() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let config = Config::default().with_endpoint(endpoint);
        let (runtime, engine) = Runtime::local().config(config).build().await.unwrap();
        let server = tokio::spawn(serve(listener, runtime.clone()));

        let name = String::from("dog.png");
        let picture = ResizePicture { name }.asap().on(&runtime).await.unwrap();
        engine.wait_idle("pictures").await.unwrap();

        assert_eq!(picture.queue(), "pictures");
        // A task that was answered with an error would still wait for its retry.
        assert!(
            runtime
                .queue("pictures")
                .get(picture.id())
                .await
                .unwrap()
                .is_none()
        );
        server.abort();
        engine.stop().await;
    }
}
