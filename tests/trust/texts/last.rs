//! What the log says of tasks that die, for each cause.

use std::time::Duration;

use axum::body::Body;
use cloud_tasks::dead_letters::Dead;
use cloud_tasks::idempotency::{Claim, ClaimToken, IdempotencyKey, IdempotencyStore, StoreFuture};
use cloud_tasks::queue::QueueSettings;
use cloud_tasks::testing::Recorder;
use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use http::{HeaderValue, Request};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Shown, logged, texts};
use crate::service::state;
use crate::support::http::{post, send};
use crate::support::logs::Logs;

/// Ends as it is told, and its hook fails.
#[derive(Deserialize, Serialize)]
struct Doomed {
    how: How,
    text: String,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
enum How {
    Fails,
    Panics,
    Hangs,
    /// It finds that its effect is in progress.
    Meets,
}

#[task(queue = "doomed", dead_letter_topic = "dead-doomed", timeout = "20s")]
impl Task for Doomed {
    async fn run(self, cx: Context) -> TaskResult {
        match self.how {
            How::Fails => Err(self.text)?,
            How::Panics => panic!("{}", self.text),
            How::Hangs => std::future::pending().await,
            How::Meets => {
                cx.once(self.text, async { TaskResult::Ok(()) }).await?;
                Ok(())
            }
        }
    }

    async fn on_dead(self, _dead: Dead, _cx: Context) -> TaskResult {
        Err(self.text)?
    }
}

/// A store in which everything is in progress.
struct Occupied;

impl IdempotencyStore for Occupied {
    fn begin<'a>(&'a self, _: &'a IdempotencyKey, _: Duration) -> StoreFuture<'a, Claim> {
        Box::pin(async { Ok(Claim::InProgress) })
    }

    fn renew<'a>(&'a self, _: &'a IdempotencyKey, _: &'a ClaimToken, _: Duration) -> StoreFuture<'a, bool> {
        Box::pin(async { Ok(false) })
    }

    fn complete<'a>(&'a self, _: &'a IdempotencyKey, _: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(async { Ok(false) })
    }

    fn bury<'a>(&'a self, _: &'a IdempotencyKey, _: &'a ClaimToken) -> StoreFuture<'a, bool> {
        Box::pin(async { Ok(false) })
    }

    fn release<'a>(&'a self, _: &'a IdempotencyKey, _: &'a ClaimToken) -> StoreFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

const MAX_BODY_BYTES: usize = 50_000;

/// A service whose queue makes one delivery.
async fn stage() -> (Runtime, Recorder) {
    Runtime::recorded()
        .state(state())
        .idempotency(Occupied)
        .queue(QueueSettings::new("doomed").with_max_attempts(1))
        .dead_letter_topic("dead-tasks")
        .max_body_bytes(MAX_BODY_BYTES)
        .build()
        .await
        .unwrap()
}

/// A last delivery for each cause, and the cause.
fn deliveries(text: &str) -> Vec<(&'static str, Request<Body>)> {
    let doomed = |how: How| json!({"how": how, "text": text}).to_string();
    let deliveries = [
        ("failed", "Doomed", doomed(How::Fails)),
        ("panicked", "Doomed", doomed(How::Panics)),
        ("timed-out", "Doomed", doomed(How::Hangs)),
        ("undecodable", "Doomed", json!({"how": text}).to_string()),
        ("in-progress", "Doomed", doomed(How::Meets)),
        ("turned-away", "Retired", json!(text).to_string()),
        (
            "turned-away",
            "Doomed",
            json!({"how": How::Fails, "text": text, "rest": "x".repeat(MAX_BODY_BYTES)}).to_string(),
        ),
        ("interrupted", "Doomed", doomed(How::Hangs)),
    ];
    let deliveries = deliveries.into_iter().map(|(cause, task, body)| {
        let mut request = post(&format!("/tasks/{task}"), body);
        let headers = request.headers_mut();
        headers.insert("x-cloudtasks-queuename", HeaderValue::from_static("doomed"));
        if let Ok(id) = HeaderValue::from_bytes(text.as_bytes()) {
            headers.insert("x-cloudtasks-taskname", id);
        }
        (cause, request)
    });
    deliveries.collect()
}

#[tokio::test(start_paused = true)]
async fn the_log_of_a_task_that_dies_is_escaped_whatever_the_cause() {
    for text in texts() {
        for (cause, request) in deliveries(&text) {
            let (runtime, recorder) = stage().await;
            let logs = Logs::capture();

            let limit = if cause == "interrupted" { 1 } else { 3600 };
            let answered = tokio::time::timeout(Duration::from_secs(limit), send(&runtime, request)).await;
            runtime.flush().await;

            assert_eq!(answered.is_err(), cause == "interrupted", "{cause}");
            let records = recorder.publications();
            assert_eq!(records.len(), 1, "{cause} {text:?}");
            let record: serde_json::Value = serde_json::from_slice(records[0].data()).unwrap();
            assert_eq!(record["cause"], cause);
            let shown = logged(&logs);
            assert!(shown.iter().any(|line| line.text.starts_with("ERROR")), "{cause}");
            for line in &shown {
                line.assert_safe(&text);
            }
            if let Ok(answer) = answered {
                let answer = String::from_utf8(answer.body().to_vec()).unwrap();
                Shown::line(cause, answer).assert_no_secret(&text);
            }
        }
    }
}
