//! A service with a local engine, both on ports of their own.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use cloud_tasks::backend::LocalEngine;
use cloud_tasks::task::TaskMetadata;
use cloud_tasks::{Config, Context, Runtime, Task, TaskResult, task};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc};

use crate::dependencies::with_dependencies;
use crate::support::server::{Port, Server};
use crate::support::wait::{next, within};

/// Where tasks tell that an attempt began.
#[derive(Clone)]
pub(crate) struct Journal(mpsc::UnboundedSender<(String, TaskMetadata)>);

impl Journal {
    /// One that nobody reads.
    pub(crate) fn unread() -> Self {
        Self(mpsc::unbounded_channel().0)
    }
}

/// Succeeds, or fails, or panics, as it is told.
#[derive(Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) text: String,
}

pub(crate) fn note(text: &str) -> Note {
    Note {
        text: text.to_owned(),
    }
}

#[task(queue = "notes")]
impl Task for Note {
    async fn run(self, cx: Context<Journal>) -> TaskResult<usize> {
        // A test may be over by now.
        let _ = cx.state().0.send((self.text.clone(), cx.metadata().clone()));
        match self.text.as_str() {
            "fails" => Err("it was told to")?,
            "panics" => panic!("it was told to"),
            text => Ok(text.len()),
        }
    }
}

/// A breakpoint that runs tell that they have reached, and wait at.
#[derive(Clone)]
pub(crate) struct Breakpoint {
    pub(crate) reached: mpsc::UnboundedSender<u32>,
    pub(crate) passes: Arc<Semaphore>,
}

impl Breakpoint {
    /// One that lets nobody pass.
    pub(crate) fn closed() -> (Self, mpsc::UnboundedReceiver<u32>) {
        let (reached, arrivals) = mpsc::unbounded_channel();
        let passes = Arc::new(Semaphore::new(0));
        (Self { reached, passes }, arrivals)
    }
}

/// Waits at the breakpoint.
#[derive(Serialize, Deserialize)]
pub(crate) struct Debugged;

#[task(queue = "notes", idempotent)]
impl Task for Debugged {
    async fn run(self, cx: Context<Breakpoint>) -> TaskResult<u32> {
        let attempt = cx.metadata().attempt();
        cx.state().reached.send(attempt)?;
        cx.state().passes.acquire().await?.forget();
        Ok(attempt)
    }
}

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    pub(crate) engine: LocalEngine,
    attempts: mpsc::UnboundedReceiver<(String, TaskMetadata)>,
    server: Server,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        Self::set_with(Breakpoint::closed().0).await
    }

    pub(crate) async fn set_with(breakpoint: Breakpoint) -> Self {
        let port = Port::open().await;
        let endpoint = port.url().to_owned();
        let (sender, attempts) = mpsc::unbounded_channel();
        let (runtime, engine) = with_dependencies(Runtime::local())
            .config(Config::default().with_endpoint(endpoint))
            .state(Journal(sender))
            .state(breakpoint)
            .allow_unsigned_pushes()
            .build()
            .await
            .unwrap();
        let app = Router::new().layer(runtime.layer());
        let server = port.serve(app);
        Self {
            runtime,
            engine,
            attempts,
            server,
        }
    }

    /// A runtime of another service with the same tasks, which sends to the same engine.
    pub(crate) async fn neighbour(&self) -> Runtime {
        let config = Config::default()
            .with_endpoint("http://127.0.0.1:9")
            .with_cloud_tasks_emulator_host(self.engine.url().trim_start_matches("http://"));
        let builder = with_dependencies(Runtime::builder()).config(config);
        builder.allow_unsigned_pushes().build().await.unwrap()
    }

    /// Enqueues a note for an hour from now; its id.
    pub(crate) async fn for_later(&self, text: &str) -> String {
        let enqueued = note(text).later(HOUR).on(&self.runtime).await.unwrap();
        enqueued.id().to_owned()
    }

    /// The next attempt that begins: the note's text, and what it was told.
    pub(crate) async fn next_attempt(&mut self) -> (String, TaskMetadata) {
        next(&mut self.attempts).await
    }

    /// Whether no attempt began since the last that was asked for.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.attempts.try_recv().is_err()
    }

    pub(crate) async fn wait_idle(&self, queue: &str) {
        within(self.engine.wait_idle(queue)).await.unwrap();
    }

    pub(crate) async fn strike(self) {
        self.engine.stop().await;
        self.server.stop().await;
    }
}
