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

const TIMES: &str = "0 25 * * *";
const ZONE: &str = "Europe/Pariss";
const HEADERS: &[(&str, &str)] = &[("X-CloudScheduler", "true"), ("Host", "elsewhere")];

#[derive(Default, Serialize, Deserialize)]
struct MistakenSchedule;

#[task(
    name = "Mistaken.Schedule",
    every = TIMES,
    time_zone = ZONE,
    headers = HEADERS,
    schedule_max_retries = 5 + 1,
    schedule_min_backoff = std::time::Duration::from_secs(60),
    schedule_max_backoff = std::time::Duration::from_secs(4),
    attempt_deadline = std::time::Duration::from_secs(1)
)]
impl Task for MistakenSchedule {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

const WINDOW: std::time::Duration = std::time::Duration::ZERO;
const DOTTED: &str = "Mistaken.Once";

#[derive(Serialize, Deserialize)]
struct MistakenWindow;

#[task(unique(window = WINDOW))]
impl Task for MistakenWindow {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct MistakenOnce;

#[task(name = DOTTED, only_once)]
impl Task for MistakenOnce {
    async fn run(self, _cx: Context) -> TaskResult {
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
        ("hour \"25\" is not accepted", 43),
        ("there is no time zone \"Europe/Pariss\"", 43),
        ("the header \"x-cloudscheduler\" cannot be set", 43),
        ("the header \"Host\" cannot be set", 43),
        ("schedule_max_retries is 6; Cloud Scheduler accepts 0 to 5", 43),
        ("schedule_max_backoff is 4s", 43),
        ("schedule_min_backoff is 60s, which is more than", 43),
        ("attempt_deadline is 1s", 43),
        ("the job's name \"Mistaken.Schedule\" is not accepted", 43),
        ("the window 0s is not accepted", 65),
        ("the task \"Mistaken.Once\" cannot run `only_once`", 75),
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
