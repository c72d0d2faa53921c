//! A backup queue in the local engine.

use axum::Router;
use bytes::Bytes;
use cloud_tasks::{Config, Context, Runtime, Task, TaskResult, task};
use http::Request;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::dependencies::with_dependencies;
use crate::support::server::Port;

/// Where tasks tell their queue.
#[derive(Clone)]
pub(crate) struct Queues(mpsc::UnboundedSender<String>);

impl Queues {
    /// Where nobody looks.
    pub(crate) fn unread() -> Self {
        Self(mpsc::unbounded_channel().0)
    }
}

/// Tells the queue that it came from.
#[derive(Serialize, Deserialize)]
struct Report;

#[task(queue = "reports")]
impl Task for Report {
    async fn run(self, cx: Context<Queues>) -> TaskResult {
        let queue = cx.metadata().queue().unwrap_or_default();
        cx.state().0.send(queue.to_owned())?;
        Ok(())
    }
}

#[tokio::test]
async fn a_task_of_a_queue_that_was_deleted_runs_from_the_backup_queue() {
    let port = Port::open().await;
    let endpoint = port.url().to_owned();
    let (sender, mut ran) = mpsc::unbounded_channel();
    let (runtime, engine) = with_dependencies(Runtime::local())
        .config(Config::default().with_endpoint(endpoint))
        .state(Queues(sender))
        .build()
        .await
        .unwrap();
    let app = Router::new().layer(runtime.layer());
    let _server = port.serve(app);
    Report.asap().on(&runtime).await.unwrap();
    assert_eq!(ran.recv().await.unwrap(), "reports");
    let queue = format!(
        "{}/v2/projects/local/locations/local/queues/reports",
        engine.url()
    );
    let delete = Request::delete(queue).body(Empty::<Bytes>::new()).unwrap();
    let deleted = Client::builder(TokioExecutor::new())
        .build_http()
        .request(delete)
        .await
        .unwrap();
    assert!(deleted.status().is_success(), "{deleted:?}");

    let enqueued = [
        Report.asap().on(&runtime).await.unwrap(),
        Report.asap().on(&runtime).await.unwrap(),
    ];

    for enqueued in enqueued {
        assert_eq!(enqueued.queue(), "reports--temp");
        assert_eq!(ran.recv().await.unwrap(), "reports--temp");
    }
    engine.stop().await;
}
