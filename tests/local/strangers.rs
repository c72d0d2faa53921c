//! A success that does not come from this library: the local engine reports it.

use axum::Router;
use axum::routing::post;
use cloud_tasks::backend::LocalEngine;
use cloud_tasks::{Config, Context, Message, PublisherTask, Runtime, SubscriberTask, Task, TaskResult, task};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::dependencies::with_dependencies;
use crate::support::logs::Logs;

#[derive(Default, Deserialize, Serialize)]
struct Polish;

#[task(queue = "polishing", every = "0 4 1 1 *")]
impl Task for Polish {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Deserialize, Serialize)]
struct Polished;

#[task(topic = "polished")]
impl PublisherTask for Polished {}

struct PolishCounter;

#[task]
impl SubscriberTask for PolishCounter {
    async fn run(_message: Message<Polished>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

struct Stage {
    runtime: Runtime,
    engine: LocalEngine,
    endpoint: String,
    server: JoinHandle<()>,
}

impl Stage {
    /// Serves what is made of the runtime.
    async fn set(app: impl FnOnce(&Runtime) -> Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/jobs", listener.local_addr().unwrap());
        let (runtime, engine) = with_dependencies(Runtime::local())
            .config(Config::default().with_endpoint(endpoint.as_str()))
            .build()
            .await
            .unwrap();
        let app = app(&runtime);
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            runtime,
            engine,
            endpoint,
            server,
        }
    }

    /// Sends a task, a message and a run of a schedule, and waits until they are gone.
    async fn send_one_of_each(&self) {
        Polish.asap().on(&self.runtime).await.unwrap();
        Polished.sync().on(&self.runtime).await.unwrap();
        self.engine.run_schedule("Polish").await.unwrap();
        self.engine.wait_idle("polishing").await.unwrap();
        self.engine.wait_delivered().await.unwrap();
        self.engine.wait_scheduled().await.unwrap();
    }

    /// What was reported of this endpoint.
    fn reports(&self) -> Vec<String> {
        let text = Logs::of_other_threads().text();
        text.lines()
            .filter(|line| line.contains("not from this library") && line.contains(&self.endpoint))
            .map(str::to_owned)
            .collect()
    }

    async fn strike(self) {
        self.engine.stop().await;
        self.server.abort();
    }
}

#[tokio::test]
async fn a_page_that_answers_for_a_task_a_message_and_a_schedule_is_reported() {
    Logs::of_other_threads();
    let stage = Stage::set(|runtime| {
        Router::new()
            .layer(runtime.layer())
            .route("/jobs/{*path}", post(async || "a page"))
    })
    .await;

    stage.send_one_of_each().await;

    let reports = stage.reports();
    assert_eq!(reports.len(), 3, "{reports:#?}");
    assert_eq!(
        reports
            .iter()
            .filter(|line| line.contains("/jobs/tasks/Polish"))
            .count(),
        2,
        "{reports:#?}"
    );
    assert!(
        reports
            .iter()
            .any(|line| line.contains("/jobs/subscriptions/PolishCounter"))
    );
    assert!(reports.iter().all(|line| line.contains("WARN")));
    stage.strike().await;
}

#[tokio::test]
async fn what_ran_is_not_reported() {
    Logs::of_other_threads();
    let stage = Stage::set(|runtime| Router::new().fallback(async || "a page").layer(runtime.layer())).await;

    stage.send_one_of_each().await;

    assert_eq!(stage.reports(), [""; 0]);
    stage.strike().await;
}
