//! Deliveries of Cloud Tasks and Pub/Sub that come more than once, and a count of the effects they had.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cloud_tasks::idempotency::IdempotencyStore;
use cloud_tasks::{Context, Message, Runtime, SubscriberTask, Task, TaskResult, task};
use http::{Request, Response};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tower::ServiceExt;

/// How often each effect happened.
#[derive(Clone, Default)]
pub(crate) struct Effects(Arc<Mutex<BTreeMap<u64, u32>>>);

impl Effects {
    pub(crate) fn happen(&self, number: u64) {
        *self.0.lock().unwrap().entry(number).or_default() += 1;
    }

    /// As an effect of its own, during which others have their turn.
    pub(crate) async fn charge(&self, number: u64) -> TaskResult {
        tokio::task::yield_now().await;
        self.happen(number);
        Ok(())
    }

    pub(crate) fn of(&self, number: u64) -> u32 {
        self.0.lock().unwrap().get(&number).copied().unwrap_or(0)
    }

    /// How many happened at all, and how many of these more than once.
    pub(crate) fn count(&self) -> (usize, usize) {
        let effects = self.0.lock().unwrap();
        (
            effects.len(),
            effects.values().filter(|times| **times > 1).count(),
        )
    }
}

/// A request for a task, as Cloud Tasks sends it.
pub(crate) fn delivery(task: &str, id: &str, body: &Value) -> Request<Body> {
    Request::post(format!("/tasks/{task}"))
        .header("x-cloudtasks-queuename", "tasks")
        .header("x-cloudtasks-taskname", id)
        .body(body.to_string().into())
        .unwrap()
}

/// The answer's status and body.
pub(crate) async fn answer(runtime: &Runtime, request: Request<Body>) -> (u16, Value) {
    let (parts, body) = runtime.service().oneshot(request).await.unwrap().into_parts();
    let response: Response<Bytes> = Response::from_parts(parts, body.collect().await.unwrap().to_bytes());
    let body = serde_json::from_slice(response.body()).unwrap();
    (response.status().as_u16(), body)
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Charge {
    pub(crate) number: u64,
}

#[task(idempotent)]
impl Task for Charge {
    async fn run(self, cx: Context<Effects>) -> TaskResult<u64> {
        // Others have their turn in the middle of it.
        tokio::task::yield_now().await;
        cx.state().happen(self.number);
        tokio::task::yield_now().await;
        Ok(self.number)
    }
}

pub(crate) struct Billing;

#[task(topic = "orders", idempotent)]
impl SubscriberTask for Billing {
    async fn run(message: Message<u64>, cx: Context<Effects>) -> TaskResult {
        tokio::task::yield_now().await;
        cx.state().happen(message.content);
        Ok(())
    }
}

pub(crate) fn charge(number: u64, id: &str) -> Request<Body> {
    delivery("Charge", id, &json!({ "number": number }))
}

/// A push of a message whose content is a number.
pub(crate) fn push(subscriber: &str, number: u64, id: &str) -> Request<Body> {
    let message = json!({
        "message": {"data": STANDARD.encode(number.to_string()), "messageId": id, "message_id": id},
        "subscription": format!("projects/p/subscriptions/{subscriber}"),
    });
    Request::post(format!("/subscriptions/{subscriber}"))
        .body(message.to_string().into())
        .unwrap()
}

/// Delivers so many, every second of them twice at once, and again whatever is refused, as both services do.
pub(crate) async fn storm(runtime: &Runtime, deliveries: u64, request: fn(u64) -> Request<Body>) -> u32 {
    let mut under_way = JoinSet::new();
    let mut refused = 0;
    for number in 0..deliveries {
        let times = 1 + usize::from(number % 2 == 0);
        let together = Arc::new(Barrier::new(times));
        for _ in 0..times {
            let (runtime, together) = (runtime.clone(), Arc::clone(&together));
            under_way.spawn(async move {
                together.wait().await;
                let mut refused = 0;
                loop {
                    match answer(&runtime, request(number)).await {
                        (200, _) => return refused,
                        (409, _) => refused += 1,
                        other => panic!("{other:?}"),
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
        while under_way.len() >= 64 {
            refused += under_way.join_next().await.unwrap().unwrap();
        }
    }
    refused + under_way.join_all().await.iter().sum::<u32>()
}

/// The same for tasks and for messages: 50 % more deliveries than effects.
pub(crate) async fn assert_once_each(store: impl IdempotencyStore, each: u64) {
    let effects = Effects::default();
    let runtime = Runtime::eager()
        .state(effects.clone())
        .idempotency(store)
        .build()
        .await
        .unwrap();
    let task = |number| charge(number, &format!("task-{number}"));
    let message = |number| push("Billing", 1_000_000 + number, &format!("message-{number}"));

    let refused = storm(&runtime, each, task).await + storm(&runtime, each, message).await;
    let again = storm(&runtime, each, task).await;

    let expected = usize::try_from(2 * each).unwrap();
    assert_eq!(effects.count(), (expected, 0), "{refused} refused");
    assert_eq!(again, 0);
}
