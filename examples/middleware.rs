//! axum with state and middleware: the order of the layers, and headers that travel into tasks.
//!
//! ```text
//! CLOUD_TASKS_MODE=local cargo run --example middleware
//! curl -X POST localhost:8080/documents/7 -H 'x-request-id: abc'
//! ```
#![allow(clippy::print_stdout, reason = "the output is for the person at the terminal")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::post;
use cloud_tasks::{Config, Context, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// What handlers and tasks share.
#[derive(Clone, Debug, Default)]
struct App {
    requests: Arc<AtomicU64>,
    indexed: Arc<AtomicU64>,
}

/// Adds a document to an index.
#[derive(Debug, Deserialize, Serialize)]
struct IndexDocument {
    id: u64,
}

#[task(queue = "index")]
impl Task for IndexDocument {
    async fn run(self, cx: Context<App>) -> TaskResult {
        let request_id = cx.metadata().headers().get("x-request-id");
        println!("document {} of request {request_id:?}", self.id);
        cx.state().indexed.fetch_add(self.id, Ordering::Relaxed);
        Ok(())
    }
}

async fn save(Path(id): Path<u64>, State(app): State<App>) -> Result<StatusCode, cloud_tasks::Error> {
    IndexDocument { id }.asap().await?;
    println!("request {}", app.requests.load(Ordering::Relaxed));
    Ok(StatusCode::ACCEPTED)
}

/// Counts the requests of people: those for tasks never come here, since the runtime's layer is outside of it.
async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    app.requests.fetch_add(1, Ordering::Relaxed);
    next.run(request).await
}

fn router(app: App, runtime: &Runtime) -> Router {
    Router::new()
        .route("/documents/{id}", post(save))
        .layer(middleware::from_fn_with_state(app.clone(), count))
        .with_state(app)
        .layer(runtime.layer()) // the last one, so that it is around everything
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = App::default();
    let config = Config::from_env()?.with_added_propagated_headers(["x-request-id"]);
    let runtime = Runtime::builder()
        .config(config)
        .state(app.clone())
        .build()
        .await?;
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    runtime.serve(listener, router(app, &runtime)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::body::Body;
    use cloud_tasks::testing::Signer;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_request_is_counted_and_a_task_is_not_and_its_header_travels() {
        let app = App::default();
        let signer = Signer::new().unwrap();
        let (runtime, recorder) = Runtime::recorded()
            .config(Config::default().with_added_propagated_headers(["x-request-id"]))
            .verified_by(&signer)
            .state(app.clone())
            .build()
            .await
            .unwrap();
        let router = router(app.clone(), &runtime);

        let request = Request::post("/documents/7")
            .header("x-request-id", "abc")
            .body(Body::empty());
        let answer = router.clone().oneshot(request.unwrap()).await.unwrap();
        let task = signer
            .callback(&runtime, &IndexDocument { id: 7 })
            .request()
            .unwrap();
        let ran = router.oneshot(task).await.unwrap();

        assert_eq!(
            (answer.status(), ran.status()),
            (StatusCode::ACCEPTED, StatusCode::OK)
        );
        assert_eq!(app.requests.load(Ordering::Relaxed), 1);
        assert_eq!(app.indexed.load(Ordering::Relaxed), 7);
        let enqueued = recorder.find::<IndexDocument>();
        assert_eq!(enqueued.len(), 1);
        assert_eq!(enqueued[0].headers()["x-request-id"], "abc");
    }
}
