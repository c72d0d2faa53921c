//! A subscriber's `run` takes the message and the context, and gives back a `TaskResult`.

use cloud_tasks::event::Attributes;
use cloud_tasks::{Context, Message, SubscriberTask, TaskResult, task};

type Msg = Message<String>;
type Cx = Context<String>;

struct Missing;

#[task]
impl SubscriberTask for Missing {}

struct Receiver;

#[task(topic = "bus")]
impl SubscriberTask for Receiver {
    async fn run(self, _: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct LikeATask;

#[task]
impl SubscriberTask for LikeATask {
    async fn run(self, _: Context<String>) -> TaskResult {
        Ok(())
    }
}

struct Nothing;

#[task]
impl SubscriberTask for Nothing {
    async fn run() -> TaskResult {
        Ok(())
    }
}

struct NoMessage;

#[task]
impl SubscriberTask for NoMessage {
    async fn run(_: Context) -> TaskResult {
        Ok(())
    }
}

struct NoContext;

#[task(topic = "bus")]
impl SubscriberTask for NoContext {
    async fn run(_: Message<String>) -> TaskResult {
        Ok(())
    }
}

struct OtherOrder;

#[task(topic = "bus")]
impl SubscriberTask for OtherOrder {
    async fn run(_: Context<u8>, _: Message<String>) -> TaskResult {
        Ok(())
    }
}

struct More;

#[task(topic = "bus")]
impl SubscriberTask for More {
    async fn run(_: Message<String>, _: Context, attempt: u32) -> TaskResult<u32> {
        Ok(attempt)
    }
}

struct NotAsync;

#[task(topic = "bus")]
impl SubscriberTask for NotAsync {
    fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct NoResult;

#[task(topic = "bus")]
impl SubscriberTask for NoResult {
    async fn run(_: Message<String>, _: Context) {}
}

struct Unread;

#[task]
impl SubscriberTask for Unread {
    async fn run(_: Msg, _: Cx) -> String {
        String::new()
    }
}

struct UnreadAttributes;

#[task(topic = "bus")]
impl SubscriberTask for UnreadAttributes {
    type Content = String;

    async fn run(message: Msg, _: Context) -> TaskResult<Attributes> {
        Ok(message.attributes)
    }
}

struct ContentAlone;

#[task]
impl SubscriberTask for ContentAlone {
    async fn run(content: String, _: Context) -> TaskResult<String> {
        Ok(content)
    }
}

fn main() {}
