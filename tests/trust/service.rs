//! A service whose callers are verified, and the tasks in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use cloud_tasks::runtime::RuntimeBuilder;
use cloud_tasks::service::TrustedCallers;
use cloud_tasks::{Config, Context, Message, PublisherTask, Runtime, SubscriberTask, Task, TaskResult, task};
use http::Request;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc};
use wiremock::MockServer;

pub(crate) use crate::support::http::send;
pub(crate) use crate::support::key_server::key_server;
pub(crate) use crate::support::nowhere::Nowhere;
use crate::support::tokens;

pub(crate) const ENDPOINT: &str = "https://shop.example";

/// Succeeds at once.
#[derive(Deserialize, Serialize)]
pub(crate) struct Note;

#[task]
impl Task for Note {
    async fn run(self, _cx: Context) -> TaskResult<String> {
        Ok("noted".to_owned())
    }
}

/// Says when it starts and ends when it is let go.
#[derive(Deserialize, Serialize)]
pub(crate) struct Work {
    pub(crate) number: u64,
}

/// How tests and [`Work`] talk to each other.
#[derive(Clone)]
pub(crate) struct Foreman {
    started: mpsc::UnboundedSender<u64>,
    go: Arc<Semaphore>,
    cut_off: Arc<AtomicUsize>,
}

impl Foreman {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<u64>) {
        let (started, starts) = mpsc::unbounded_channel();
        let foreman = Self {
            started,
            go: Arc::new(Semaphore::new(0)),
            cut_off: Arc::default(),
        };
        (foreman, starts)
    }

    /// Lets as many go.
    pub(crate) fn release(&self, count: usize) {
        self.go.add_permits(count);
    }

    /// How many were dropped before their end.
    pub(crate) fn cut_off(&self) -> usize {
        self.cut_off.load(Ordering::SeqCst)
    }
}

#[task]
impl Task for Work {
    async fn run(self, cx: Context<Foreman>) -> TaskResult<u64> {
        let foreman = cx.state();
        let mut unfinished = Unfinished(Some(foreman.cut_off.clone()));
        foreman.started.send(self.number)?;
        foreman.go.acquire().await?.forget();
        unfinished.0 = None;
        Ok(self.number)
    }
}

/// Counts when it is dropped with something to count.
struct Unfinished(Option<Arc<AtomicUsize>>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(count) = &self.0 {
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Fails, with what nobody outside should see.
#[derive(Deserialize, Serialize)]
pub(crate) struct Fail {
    pub(crate) card: String,
}

#[task]
impl Task for Fail {
    async fn run(self, _cx: Context) -> TaskResult {
        Err("the database at 10.1.2.3 refused the password".into())
    }
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Happened {
    pub(crate) what: String,
}

#[task(topic = "happened")]
impl PublisherTask for Happened {}

pub(crate) struct Listener;

#[task(aliases = ["Hearer"])]
impl SubscriberTask for Listener {
    async fn run(message: Message<Happened>, cx: Context<Foreman>) -> TaskResult {
        // A test may not listen.
        let _ = cx.state().started.send(message.content.what.len() as u64);
        Ok(())
    }
}

/// Runs when a scheduler says so.
#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Tick;

#[task(every = "0 9 * * *")]
impl Task for Tick {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Ordered {
    pub(crate) what: String,
}

#[task(topic = "ordered")]
impl PublisherTask for Ordered {}

/// Its pushes come by way of a gateway.
pub(crate) struct Hooked;

#[task(url = "https://gateway.example/orders?key=1")]
impl SubscriberTask for Hooked {
    async fn run(_message: Message<Ordered>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// The state of a runtime where nobody listens to what runs.
pub(crate) fn state() -> Foreman {
    Foreman::new().0
}

pub(crate) fn config() -> Config {
    Config::default()
        .with_endpoint(ENDPOINT)
        .with_service_account(tokens::ACCOUNT)
}

pub(crate) fn callers(server: &MockServer) -> TrustedCallers {
    TrustedCallers::new()
        .issuer(tokens::ISSUER, format!("{}/certs", server.uri()))
        .min_refresh_interval(Duration::from_secs(3600))
}

/// A runtime that verifies its callers with the keys of this server.
pub(crate) fn verified(server: &MockServer) -> RuntimeBuilder {
    Runtime::builder()
        .backend(Nowhere::default())
        .config(config())
        .callers(callers(server))
        .state(Foreman::new().0)
}

/// A request to this path with this `Authorization`.
pub(crate) fn post(path: &str, authorization: Option<&str>, body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post(path);
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    request.body(body.into()).unwrap()
}

pub(crate) fn bearer() -> String {
    format!("Bearer {}", tokens::good(ENDPOINT))
}

/// The body of a push whose message has this content.
pub(crate) fn push(content: &serde_json::Value) -> String {
    use base64::Engine;
    let data = base64::engine::general_purpose::STANDARD.encode(content.to_string());
    serde_json::json!({"message": {"data": data, "messageId": "1"}, "subscription": "projects/p/subscriptions/s"})
        .to_string()
}
