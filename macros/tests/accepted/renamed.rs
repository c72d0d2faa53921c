//! The crate may go by another name, given as a path or as a text.
#![deny(warnings)]

extern crate cloud_tasks as jobs;

mod reexported {
    pub use ::cloud_tasks as inner;
}

/// A module of the name that is not the crate.
mod cloud_tasks {
    pub use super::jobs::{
        Context, Message, Model, ModelPublisherTask, PublisherTask, SubscriberTask, Task, TaskResult, task,
    };
}

use cloud_tasks::{
    Context, Message, Model, ModelPublisherTask, PublisherTask, SubscriberTask, Task, TaskResult, task,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct AsPath;

#[task(crate = jobs)]
impl Task for AsPath {
    async fn run(self, _cx: Context<String>) -> TaskResult<u8> {
        Ok(1)
    }
}

#[derive(Serialize, Deserialize)]
struct AsText;

#[task(crate = "crate::renamed::reexported::inner", queue = "emails")]
impl Task for AsText {
    async fn run(self, _cx: Context<String>) -> TaskResult<u8> {
        Ok(1)
    }
}

#[derive(Serialize, Deserialize)]
struct Default;

#[task]
impl Task for Default {
    async fn run(self, _cx: Context<String>) -> TaskResult<u8> {
        Ok(1)
    }
}

#[derive(Model)]
#[model(crate = jobs, app_label = "sales")]
struct Order;

#[derive(Serialize, Deserialize)]
struct Event;

#[task(crate = jobs)]
impl PublisherTask for Event {}

#[derive(Serialize, Deserialize)]
struct Topic;

#[task(crate = "jobs")]
impl ModelPublisherTask for Topic {
    fn content(_: &Order, _: &()) -> Self {
        Self
    }
}

struct Subscriber;

#[task(crate = crate::renamed::reexported::inner, dead_letter_topic = "failed")]
impl SubscriberTask for Subscriber {
    async fn run(_: Message<Event>, _: Context) -> TaskResult {
        Ok(())
    }
}
