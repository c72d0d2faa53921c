//! Tasks and helpers that several tests share.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use cloud_tasks::testing::Recorder;
use cloud_tasks::{
    Context, Discard, Message, PublisherTask, RetryAfter, Runtime, SubscriberTask, Task, TaskResult, task,
};
use serde::{Deserialize, Serialize};

pub(crate) use crate::support::log::Log;

/// Adds.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Add {
    pub(crate) left: u64,
    pub(crate) right: u64,
}

#[task]
impl Task for Add {
    async fn run(self, _cx: Context) -> TaskResult<u64> {
        Ok(self.left + self.right)
    }
}

/// Writes its text down.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Note {
    pub(crate) text: String,
}

#[task(queue = "notes")]
impl Task for Note {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        cx.state().write(self.text);
        Ok(())
    }
}

pub(crate) fn note(text: &str) -> Note {
    Note { text: text.into() }
}

/// Ends in the way that it is told to.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum End {
    Well,
    Fail,
    Discard,
    RetryAfter {
        seconds: u64,
    },
    Panic,
    Never,
    /// Fails until it has been tried this often.
    FailUntil {
        attempt: u32,
    },
}

/// Writes its attempt down, and ends.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Try {
    pub(crate) end: End,
}

#[task(queue = "tries", timeout = "1m")]
impl Task for Try {
    async fn run(self, cx: Context<Log>) -> TaskResult<String> {
        let metadata = cx.metadata();
        let (attempt, last) = (metadata.attempt(), metadata.is_last_attempt());
        cx.state().write(format!("attempt {attempt}, last {last}"));
        match self.end {
            End::FailUntil { attempt: enough } if attempt < enough => Err("not yet")?,
            End::Well | End::FailUntil { .. } => Ok(format!("done in attempt {attempt}")),
            End::Fail => Err("the mail server is down")?,
            End::Discard => Err(Discard::new("too late"))?,
            End::RetryAfter { seconds } => Err(RetryAfter::new(Duration::from_secs(seconds)))?,
            End::Panic => panic!("out of ink"),
            End::Never => std::future::pending().await,
        }
    }
}

/// An event.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct OrderPlaced {
    pub(crate) order_id: u64,
}

#[task(topic = "orders", queue = "events")]
impl PublisherTask for OrderPlaced {}

/// Another one.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Refunded {
    pub(crate) amount: u64,
}

#[task(topic = "refunds")]
impl PublisherTask for Refunded {}

/// Hears of orders.
pub(crate) struct Ship;

#[task(dead_letter_topic = "orders-failed", use_cloud_tasks = true)]
impl SubscriberTask for Ship {
    async fn run(message: Message<OrderPlaced>, cx: Context<Log>) -> TaskResult<String> {
        let priority = message.attributes.get("priority");
        let delivery = message.delivery_attempt;
        if message.content.order_id == 0 {
            Err("there is no order 0")?;
        }
        let line = format!(
            "order {} {priority:?} {delivery:?} {}",
            message.content.order_id, message.subscription
        );
        cx.state().write(&line);
        Ok(line)
    }
}

/// 2026-01-01 00:00:00 UTC.
pub(crate) fn new_year() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A runtime whose clock stands at the new year.
pub(crate) async fn recorded(log: &Log) -> (Runtime, Recorder) {
    Runtime::recorded()
        .starting_at(new_year())
        .state(log.clone())
        .build()
        .await
        .unwrap()
}

/// What a check that fails says.
pub(crate) fn panic_text(check: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(check)).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}
