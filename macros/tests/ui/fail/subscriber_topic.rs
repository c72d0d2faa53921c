//! A subscriber's topic is named once.

use cloud_tasks::event::Topic;
use cloud_tasks::{Context, Message, SubscriberTask, TaskResult, task};

struct Twice;

#[task(topic = "bus")]
impl SubscriberTask for Twice {
    fn topic() -> Topic {
        Topic::new("bus")
    }

    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct OptionsAndFunction;

#[task(absolute_topic = "legacy-bus", app = "accounts")]
impl SubscriberTask for OptionsAndFunction {
    fn topic() -> Topic {
        Topic::new("bus")
    }

    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct OptionsAlone;

#[task(topic = "no topic", absolute_topic = "legacy-bus", app = "my accounts")]
impl SubscriberTask for OptionsAlone {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct Label;

#[task(topic = "bus", app_label = "sales")]
impl SubscriberTask for Label {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

fn main() {}
