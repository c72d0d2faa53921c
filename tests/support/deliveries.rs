//! Deliveries of Cloud Tasks and Pub/Sub that come more than once, and a count of the effects they had.
#![allow(dead_code, clippy::unwrap_used)]

use std::sync::Arc;

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

pub(crate) use super::effects::Effects;

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

/// An eager runtime with this store, and the effects of its tasks.
pub(crate) async fn runtime(store: impl IdempotencyStore) -> (Runtime, Effects) {
    let effects = Effects::default();
    let builder = Runtime::eager().state(effects.clone()).idempotency(store);
    (builder.build().await.unwrap(), effects)
}

/// The same for tasks and for messages: 50 % more deliveries than effects.
pub(crate) async fn assert_once_each(store: impl IdempotencyStore, each: u64) {
    let (runtime, effects) = runtime(store).await;
    let task = |number| charge(number, &format!("task-{number}"));
    let message = |number| push("Billing", 1_000_000 + number, &format!("message-{number}"));

    let refused = storm(&runtime, each, task).await + storm(&runtime, each, message).await;
    let again = storm(&runtime, each, task).await;

    let expected = usize::try_from(2 * each).unwrap();
    assert_eq!(effects.count(), (expected, 0), "{refused} refused");
    assert_eq!(again, 0);
}
