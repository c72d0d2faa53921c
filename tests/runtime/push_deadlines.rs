//! How long a push may take: as long as Pub/Sub waits for it.

use std::future::pending;
use std::time::Duration;

use cloud_tasks::{Context, Message, RetryAfter, Runtime, SubscriberTask, TaskResult, task};
use serde_json::json;

use crate::tasks::{answer, post, send};

macro_rules! that_never_ends {
    ($name:ident, $($options:tt)*) => {
        struct $name;

        #[task(topic = "endless", $($options)*)]
        impl SubscriberTask for $name {
            async fn run(_message: Message<u64>, _cx: Context) -> TaskResult {
                pending().await
            }
        }
    };
}

that_never_ends!(EndlessByDefault,);
that_never_ends!(EndlessForMinutes, ack_deadline = "2m");
that_never_ends!(EndlessButShort, ack_deadline = "2m", timeout = "20s");
that_never_ends!(EndlessInATask, use_cloud_tasks, timeout = "20m");

#[tokio::test(start_paused = true)]
async fn a_push_runs_no_longer_than_its_subscription_waits() {
    let runtime = Runtime::eager().build().await.unwrap();
    let pushed = json!({"message": {"data": "MQ==", "messageId": "1"}}).to_string();
    let task = json!({"content": 1, "attributes": {}}).to_string();
    for (path, body, limit) in [
        ("/subscriptions/EndlessByDefault", &pushed, "10s"),
        ("/subscriptions/EndlessForMinutes", &pushed, "120s"),
        ("/subscriptions/EndlessButShort", &pushed, "20s"),
        ("/tasks/EndlessInATask", &task, "1200s"),
        // Not a push: Cloud Tasks waits as long as for any task.
        ("/tasks/EndlessByDefault", &task, "600s"),
    ] {
        let (status, answered) = answer(&runtime, post(path, body.clone())).await;

        assert_eq!(status, 504, "{path}: {answered}");
        let error = answered["error"].as_str().unwrap();
        assert!(
            error.ends_with(&format!("did not finish within {limit}")),
            "{path}: {error}"
        );
    }
}

/// Asks for more time than Pub/Sub ever waits.
struct Procrastinator;

#[task(topic = "endless")]
impl SubscriberTask for Procrastinator {
    async fn run(_message: Message<u64>, _cx: Context) -> TaskResult {
        Err(RetryAfter::new(Duration::MAX))?
    }
}

#[tokio::test]
async fn a_message_that_asks_to_be_retried_at_the_end_of_time_is_retried_within_ten_minutes() {
    let runtime = Runtime::eager().build().await.unwrap();
    let pushed = json!({"message": {"data": "MQ==", "messageId": "1"}}).to_string();

    let response = send(&runtime, post("/subscriptions/Procrastinator", pushed)).await;

    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "600");
}
