//! Constants are not seen by the attribute: `build()` checks them, and names the place.

use cloud_tasks::{Context, Message, PublisherTask, Runtime, SubscriberTask, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

const QUEUE: &str = "not_a_queue";

#[derive(Serialize, Deserialize)]
struct Mistaken;

#[task(queue = QUEUE)]
impl Task for Mistaken {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

const TOPIC: &str = "not a topic";
const FILTER: &str = "not_a_filter";

#[derive(Serialize, Deserialize)]
struct MistakenEvent;

#[task(topic = TOPIC)]
impl PublisherTask for MistakenEvent {}

struct MistakenSubscriber;

#[task(filter = FILTER, topic = "bus", dead_letter_topic = TOPIC)]
impl SubscriberTask for MistakenSubscriber {
    async fn run(_: Message<String>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[tokio::test(flavor = "current_thread")]
async fn mistaken_constants_are_reported_at_the_lines_of_their_attributes() {
    let refused = Runtime::recorded()
        .build()
        .await
        .map(drop)
        .map_err(|error| error.to_string());

    let message = refused.unwrap_err();
    for (mistake, line) in [
        ("the queue \"not_a_queue\"", 11),
        ("the topic \"not a topic\"", 24),
        ("not_a_filter", 29),
        ("the dead-letter topic \"not a topic\"", 29),
    ] {
        let place = format!("mistakes.rs:{line})");
        assert!(
            message
                .lines()
                .any(|said| said.contains(mistake) && said.contains(&place)),
            "{mistake}: {message}"
        );
    }
}
