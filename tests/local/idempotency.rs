//! Deliveries that the local engine repeats, because an answer was lost on its way.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use cloud_tasks::backend::LocalEngine;
use cloud_tasks::idempotency::MemoryStore;
use cloud_tasks::{Config, Context, Message, PublisherTask, Runtime, SubscriberTask, Task, TaskResult, task};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::dependencies::with_dependencies;
use crate::support::effects::Effects;
use crate::support::server::{Port, Server};

/// A task that comes back from the queue.
#[derive(Deserialize, Serialize)]
struct Pay {
    number: u64,
}

#[task(idempotent)]
impl Task for Pay {
    async fn run(self, cx: Context<Effects>) -> TaskResult {
        cx.state().happen(self.number);
        Ok(())
    }
}

#[derive(Deserialize, Serialize)]
struct Payment {
    number: u64,
}

#[task(topic = "paid")]
impl PublisherTask for Payment {}

struct Thank;

#[task(idempotent, min_backoff = "10ms", max_backoff = "20ms")]
impl SubscriberTask for Thank {
    async fn run(message: Message<Payment>, cx: Context<Effects>) -> TaskResult {
        cx.state().happen(message.content.number);
        Ok(())
    }
}

/// Loses the first answer to every body, and tells of each answer that arrives.
#[derive(Clone)]
struct Loses {
    seen: Arc<Mutex<HashSet<Bytes>>>,
    arrived: mpsc::UnboundedSender<StatusCode>,
}

async fn lose(State(loses): State<Loses>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let first = loses.seen.lock().unwrap().insert(body.clone());
    let response = next.run(Request::from_parts(parts, body.into())).await;
    if first && response.status() == StatusCode::OK {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    // A test may be over by now.
    let _ = loses.arrived.send(response.status());
    response
}

struct Stage {
    runtime: Runtime,
    engine: LocalEngine,
    effects: Effects,
    seen: Arc<Mutex<HashSet<Bytes>>>,
    arrived: mpsc::UnboundedReceiver<StatusCode>,
    server: Server,
}

impl Stage {
    async fn set() -> Self {
        let port = Port::open().await;
        let endpoint = port.url().to_owned();
        let effects = Effects::default();
        let (runtime, engine) = with_dependencies(Runtime::local())
            .config(Config::default().with_endpoint(endpoint))
            .state(effects.clone())
            .idempotency(MemoryStore::new())
            .build()
            .await
            .unwrap();
        let (sender, arrived) = mpsc::unbounded_channel();
        let loses = Loses {
            seen: Arc::default(),
            arrived: sender,
        };
        let seen = Arc::clone(&loses.seen);
        let app = Router::new()
            .layer(runtime.layer())
            .layer(middleware::from_fn_with_state(loses, lose));
        let server = port.serve(app);
        Self {
            runtime,
            engine,
            effects,
            seen,
            arrived,
            server,
        }
    }

    /// Waits for so many answers that arrive.
    async fn assert_answered(&mut self, count: usize) {
        for _ in 0..count {
            assert_eq!(self.arrived.recv().await, Some(StatusCode::OK));
        }
        assert_eq!(self.seen.lock().unwrap().len(), count);
    }

    async fn strike(self) {
        self.engine.stop().await;
        self.server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_whose_answer_is_lost_runs_its_effect_once() {
    const TASKS: usize = 100;
    let mut stage = Stage::set().await;

    for number in 0..TASKS as u64 {
        Pay { number }.asap().on(&stage.runtime).await.unwrap();
    }
    stage.assert_answered(TASKS).await;

    assert_eq!(stage.effects.count(), (TASKS, 0));
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_whose_acknowledgement_is_lost_has_its_effect_once() {
    const MESSAGES: usize = 50;
    let mut stage = Stage::set().await;

    for number in 0..MESSAGES as u64 {
        Payment { number }.sync().on(&stage.runtime).await.unwrap();
    }
    stage.assert_answered(MESSAGES).await;

    assert_eq!(stage.effects.count(), (MESSAGES, 0));
    stage.strike().await;
}
