//! A service whose tasks fail while its shop is closed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use cloud_tasks::backend::{LocalEngine, RetrySettings};
use cloud_tasks::dead_letters::Dead;
use cloud_tasks::queue::QueueSettings;
use cloud_tasks::{Config, Context, PublisherTask, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dependencies::with_dependencies;
use crate::support::server::{Port, Server};
use crate::support::wait::within;

/// What the tasks of one test have done.
#[derive(Clone, Default)]
pub(crate) struct Shop {
    open: Arc<AtomicBool>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Shop {
    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    fn sell(&self, cx: &Context<Self>, what: &str) -> TaskResult {
        let metadata = cx.metadata();
        let request = metadata.headers().get("x-request-id");
        self.write(format!(
            "{what} attempt {} in {} for {}",
            metadata.attempt(),
            metadata.queue().unwrap(),
            request.map_or("nobody", |value| value.to_str().unwrap())
        ));
        if self.open.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err("the shop is closed")?
    }

    /// Writes down what is known of the attempt, which fails.
    fn tell(&self, cx: &Context<Self>) -> TaskResult {
        let metadata = cx.metadata();
        let (most, last) = (metadata.max_attempts(), metadata.is_last_attempt());
        self.write(format!("attempt {} of {most:?}, last {last}", metadata.attempt()));
        Err("the shop is closed")?
    }

    fn write(&self, line: String) {
        self.log.lock().unwrap().push(line);
    }

    /// The lines since the last time.
    pub(crate) fn lines(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) invoice: u64,
}

#[task(max_attempts = 3, dead_letter_topic = "dead-charges")]
impl Task for Charge {
    async fn run(self, cx: Context<Shop>) -> TaskResult {
        cx.state().sell(&cx, &format!("charge {}", self.invoice))
    }

    async fn on_dead(self, dead: Dead, cx: Context<Shop>) -> TaskResult {
        cx.state().write(format!(
            "dead {} after {}: {}",
            self.invoice,
            dead.attempts(),
            dead.error()
        ));
        Ok(())
    }
}

/// Is given up by its queue.
#[derive(Serialize, Deserialize)]
pub(crate) struct Restock {}

#[task(queue = "few")]
impl Task for Restock {
    async fn run(self, cx: Context<Shop>) -> TaskResult {
        cx.state().sell(&cx, "restock")
    }
}

/// Is run by a schedule, and tried once.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Sweep {}

#[task(every = "@yearly")]
impl Task for Sweep {
    async fn run(self, cx: Context<Shop>) -> TaskResult {
        cx.state().tell(&cx)
    }
}

/// Is run by a schedule, and tried again.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Tidy {}

#[task(every = "@yearly", schedule_max_retries = 2)]
impl Task for Tidy {
    async fn run(self, cx: Context<Shop>) -> TaskResult {
        cx.state().tell(&cx)
    }
}

/// Writes anything where records of dead tasks are.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Anything(pub(crate) Value);

#[task(topic = "dead-charges")]
impl PublisherTask for Anything {}

pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    pub(crate) engine: LocalEngine,
    pub(crate) shop: Shop,
    server: Server,
}

/// A runtime with an engine, whose tasks nobody serves yet.
pub(crate) async fn local(config: Config, shop: Shop) -> (Runtime, LocalEngine) {
    with_dependencies(Runtime::local())
        .config(config.with_enqueue_retry(RetrySettings::off()))
        .state(shop)
        .queue(QueueSettings::new("few").with_max_attempts(2))
        .dead_letter_topic("dead-tasks")
        .build()
        .await
        .unwrap()
}

impl Stage {
    pub(crate) async fn set() -> Self {
        Self::set_with(Config::default()).await
    }

    pub(crate) async fn set_with(config: Config) -> Self {
        let port = Port::open().await;
        let shop = Shop::default();
        let config = config.with_endpoint(port.url());
        let (runtime, engine) = local(config, shop.clone()).await;
        let app = Router::new().layer(runtime.layer());
        let server = port.serve(app);
        Self {
            runtime,
            engine,
            shop,
            server,
        }
    }

    /// Waits until all tasks of a queue ran, or were given up.
    pub(crate) async fn idle(&self, queue: &str) {
        within(self.engine.wait_idle(queue)).await.unwrap();
    }

    /// Charges an invoice in vain.
    pub(crate) async fn die(&self, invoice: u64) -> String {
        let charge = Charge { invoice }.asap().header("x-request-id", "r1");
        let id = charge.on(&self.runtime).await.unwrap().id().to_owned();
        self.idle("tasks").await;
        id
    }

    /// Runs a schedule now, and waits until it was given up.
    pub(crate) async fn scheduled(&self, task: &str) {
        self.engine.run_schedule(task).await.unwrap();
        within(self.engine.wait_scheduled()).await.unwrap();
    }

    pub(crate) async fn strike(self) {
        self.engine.stop().await;
        self.server.stop().await;
    }
}
