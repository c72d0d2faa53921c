//! A service whose callers are verified, with its local engine, and what it answered and ran.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cloud_tasks::backend::{LocalEngine, RetrySettings};
use cloud_tasks::setup::SetUpReport;
use cloud_tasks::{Config, Runtime};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tower::{Layer, ServiceExt};

use crate::support::wait::next;
use crate::tasks::Run;

/// Whom everybody's tasks are signed as.
pub(crate) const ACCOUNT: &str = "tasks@demo.iam.gserviceaccount.com";
pub(crate) const LOCATION: &str = "europe-west1";
pub(crate) const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A service of ours and its engine, on ports of their own.
pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    pub(crate) engine: LocalEngine,
    pub(crate) endpoint: String,
    pub(crate) project: String,
    runs: mpsc::UnboundedReceiver<Run>,
    answers: mpsc::UnboundedReceiver<(String, StatusCode)>,
    server: Option<JoinHandle<()>>,
}

impl Stage {
    /// A service that verifies everybody who calls it.
    pub(crate) async fn open() -> Self {
        Self::serve(None).await
    }

    /// The same, and messages go to Google's emulator, whose pushes nobody signs. Its subscriptions are set up.
    pub(crate) async fn subscribed(emulator: &str) -> Self {
        let stage = Self::serve(Some(emulator)).await;
        let _ = stage.set_up().await;
        stage
    }

    /// Makes topics and subscriptions, or changes those that are there.
    pub(crate) async fn set_up(&self) -> SetUpReport {
        let plan = self.runtime.setup().only_subscribers().plan().await.unwrap();
        plan.apply().await.unwrap()
    }

    /// An engine whose tasks all go to a peer, at its URL.
    pub(crate) async fn for_peer(url: &str, emulator: Option<&str>) -> Self {
        let (sender, runs) = mpsc::unbounded_channel();
        let (_, answers) = mpsc::unbounded_channel();
        let project = own_project();
        let builder = Runtime::local().config(config(&project, url, emulator));
        let (runtime, engine) = builder.state(sender).build().await.unwrap();
        Self {
            runtime,
            engine,
            endpoint: url.to_owned(),
            project,
            runs,
            answers,
            server: None,
        }
    }

    /// A service whose subscriptions are not set up yet.
    pub(crate) async fn serve(emulator: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (sender, runs) = mpsc::unbounded_channel();
        let (answering, answers) = mpsc::unbounded_channel();
        let project = own_project();
        let mut builder = Runtime::local()
            .config(config(&project, &endpoint, emulator))
            .state(sender);
        if emulator.is_some() {
            builder = builder.allow_emulator_pushes();
        }
        let (runtime, engine) = builder.build().await.unwrap();
        let tell = move |request: Request, next: Next| {
            let answering = answering.clone();
            async move {
                let path = request.uri().to_string();
                let response = next.run(request).await;
                // A test may be over by now.
                // The server's own request at its start is not a caller's.
                if !path.ends_with("/~probe") {
                    let _ = answering.send((path, response.status()));
                }
                response
            }
        };
        let app = Router::new()
            .layer(runtime.layer())
            .layer(middleware::from_fn(tell));
        let serve = runtime.serve(listener, app);
        Self {
            runtime,
            engine,
            endpoint,
            project,
            runs,
            answers,
            server: Some(tokio::spawn(async move { serve.await.unwrap() })),
        }
    }

    /// The next answer of the service: the path and query of the request, and the status.
    pub(crate) async fn answer(&mut self) -> (String, u16) {
        let (path, status) = next(&mut self.answers).await;
        (path, status.as_u16())
    }

    /// What the next task or subscriber to run was given.
    pub(crate) async fn run(&mut self) -> Run {
        next(&mut self.runs).await
    }

    /// Does this as a request under way does it, with the headers of a trace.
    pub(crate) async fn in_trace<W>(&self, work: W) -> W::Output
    where
        W: IntoFuture<IntoFuture: Send>,
        W::Output: Send,
    {
        let (done, outcome) = oneshot::channel();
        let mut once = Some((work.into_future(), done));
        let service = tower::service_fn(|_: Request| {
            let (work, done) = once.take().unwrap();
            async move {
                let _ = done.send(work.await);
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        });
        let request = Request::get("/")
            .header("traceparent", TRACE)
            .header("x-request-id", "req-42");
        let service = self.runtime.layer().layer(service);
        let _ = service.oneshot(request.body(Body::empty()).unwrap()).await;
        outcome.await.unwrap()
    }

    /// Puts a task into a queue of the engine as any client does.
    pub(crate) async fn create_task(&self, url: &Value, token: &Value, body: &str) {
        let request =
            json!({"url": url, "httpMethod": "POST", "oidcToken": token, "body": STANDARD.encode(body)});
        let location = format!("projects/{}/locations/{LOCATION}", self.project);
        let queue = json!({"name": format!("{location}/queues/others")});
        self.post(&format!("{location}/queues"), &queue).await;
        let task = json!({"task": {"httpRequest": request}});
        self.post(&format!("{location}/queues/others/tasks"), &task).await;
    }

    async fn post(&self, path: &str, body: &Value) {
        let request = Request::post(format!("{}/v2/{path}", self.engine.url()))
            .header("content-type", "application/json")
            .body(Full::<Bytes>::from(body.to_string()))
            .unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request).await.unwrap();
        assert!(response.status().is_success(), "{path}: {response:?}");
    }

    /// Whether no task and no subscriber ran so far, apart from those that were waited for.
    pub(crate) fn nothing_ran(&mut self) -> bool {
        self.runs.try_recv().is_err()
    }

    pub(crate) async fn close(mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
        self.engine.stop().await;
    }
}

/// Projects of one process, and of those that share an emulator with it, differ.
fn own_project() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("peers-{}-{next}", std::process::id())
}

fn config(project: &str, endpoint: &str, emulator: Option<&str>) -> Config {
    let config = Config::default()
        .with_app_name("shop")
        .with_endpoint(endpoint)
        .with_project(project)
        .with_location(LOCATION)
        .with_service_account(ACCOUNT)
        .with_propagated_headers(["traceparent", "x-request-id"])
        .with_enqueue_retry(RetrySettings::off());
    match emulator {
        Some(host) => config.with_pubsub_emulator_host(host),
        None => config,
    }
}
