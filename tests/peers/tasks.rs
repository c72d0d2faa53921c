//! The tasks of the Rust side. Those of the Django project have the same names and arguments.

use std::collections::BTreeMap;

use cloud_tasks::event::Attributes;
use cloud_tasks::task::TaskMetadata;
use cloud_tasks::{
    BoxError, Context, Message, Model, ModelPublisherTask, PublisherTask, SubscriberTask, Task, TaskResult,
    task,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// What ran, and with what.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) input: Input,
    pub(crate) metadata: TaskMetadata,
    /// Of a message.
    pub(crate) attributes: Attributes,
    pub(crate) id: String,
    pub(crate) subscription: String,
}

impl Run {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.metadata.headers().get(name)?.to_str().ok()
    }
}

#[derive(Debug, PartialEq)]
pub(crate) enum Input {
    Add(Add),
    Store(Store),
    Profile(Profile),
    Nothing,
    Flaky(Flaky),
    Once,
    Shipped(OrderShipped),
    Ping,
    Created(OrderCreated),
    Raw(Vec<u8>),
}

/// Where tasks and subscribers tell that they ran.
pub(crate) type Journal = mpsc::UnboundedSender<Run>;

fn note(cx: &Context<Journal>, input: Input) {
    let run = Run {
        input,
        metadata: cx.metadata().clone(),
        attributes: Attributes::new(),
        id: String::new(),
        subscription: String::new(),
    };
    // A test may be over by now.
    let _ = cx.state().send(run);
}

fn note_message<C>(cx: &Context<Journal>, message: Message<C>, input: impl FnOnce(C) -> Input) {
    let run = Run {
        input: input(message.content),
        metadata: cx.metadata().clone(),
        attributes: message.attributes,
        id: message.id,
        subscription: message.subscription,
    };
    let _ = cx.state().send(run);
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Add {
    pub(crate) a: i64,
    pub(crate) b: i64,
}

#[task]
impl Task for Add {
    async fn run(self, cx: Context<Journal>) -> TaskResult<i64> {
        let sum = self.a + self.b;
        note(&cx, Input::Add(self));
        Ok(sum)
    }
}

/// Values that a careless reader or writer of JSON changes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    pub(crate) name: String,
    /// The last digit is lost where a number is not rounded exactly.
    pub(crate) ratio: f64,
    pub(crate) large: f64,
    pub(crate) least: f64,
    pub(crate) negative_zero: f64,
    pub(crate) whole: f64,
    pub(crate) beyond_a_double: u64,
    pub(crate) most: u64,
    pub(crate) lowest: i64,
    pub(crate) beyond_a_word: u128,
    pub(crate) referrer: Option<String>,
    pub(crate) nested: BTreeMap<String, Option<Vec<bool>>>,
    pub(crate) nobody: Vec<String>,
}

impl Store {
    pub(crate) fn sample() -> Self {
        Self {
            name: "Zoë — 日本 🎉 \"\\/\n\u{0}\u{7f}\u{2028}".to_owned(),
            ratio: 117.633_311_394_000_17,
            large: 1e22,
            least: 5e-324,
            negative_zero: -0.0,
            whole: 3.0,
            beyond_a_double: 9_007_199_254_740_993,
            most: u64::MAX,
            lowest: i64::MIN,
            beyond_a_word: u128::from(u64::MAX) + 1,
            referrer: None,
            nested: [
                ("größe".to_owned(), None),
                ("lines".to_owned(), Some(vec![true, false])),
            ]
            .into(),
            nobody: Vec::new(),
        }
    }
}

#[task]
impl Task for Store {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        note(&cx, Input::Store(self));
        Ok(())
    }
}

/// A body of pydantic's.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) ratio: f64,
    pub(crate) big: u64,
    pub(crate) referrer: Option<String>,
}

#[task]
impl Task for Profile {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        note(&cx, Input::Profile(self));
        Ok(())
    }
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Nothing;

#[task]
impl Task for Nothing {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        note(&cx, Input::Nothing);
        Ok(())
    }
}

/// Fails so many times.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Flaky {
    pub(crate) fails: u32,
}

#[task]
impl Task for Flaky {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        let fails = self.fails;
        note(&cx, Input::Flaky(self));
        if cx.metadata().attempt() <= fails {
            Err("not yet")?;
        }
        Ok(())
    }
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Once {}

#[task(only_once)]
impl Task for Once {
    async fn run(self, cx: Context<Journal>) -> TaskResult {
        note(&cx, Input::Once);
        Ok(())
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderShipped {
    pub(crate) order_id: u64,
    pub(crate) note: String,
    pub(crate) weight: f64,
    pub(crate) referrer: Option<String>,
}

impl OrderShipped {
    pub(crate) fn sample() -> Self {
        Self {
            order_id: 9_007_199_254_740_993,
            note: "Grüße 🚚".to_owned(),
            weight: 0.1,
            referrer: None,
        }
    }
}

#[task]
impl PublisherTask for OrderShipped {}

pub(crate) struct OrderAuditor;

#[task]
impl SubscriberTask for OrderAuditor {
    async fn run(message: Message<OrderShipped>, cx: Context<Journal>) -> TaskResult {
        note_message(&cx, message, Input::Shipped);
        Ok(())
    }
}

/// An order whose subscribers forward it to a task.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct OrderToForward(pub(crate) OrderShipped);

#[task]
impl PublisherTask for OrderToForward {}

pub(crate) struct OrderForwarder;

#[task(use_cloud_tasks)]
impl SubscriberTask for OrderForwarder {
    async fn run(message: Message<OrderToForward>, cx: Context<Journal>) -> TaskResult {
        note_message(&cx, message, |OrderToForward(order)| Input::Shipped(order));
        Ok(())
    }
}

/// An event without fields.
#[derive(Deserialize, Serialize)]
pub(crate) struct Ping;

#[task]
impl PublisherTask for Ping {}

pub(crate) struct Pong;

#[task]
impl SubscriberTask for Pong {
    async fn run(message: Message<Ping>, cx: Context<Journal>) -> TaskResult {
        note_message(&cx, message, |Ping| Input::Ping);
        Ok(())
    }
}

#[derive(Model)]
#[model(app_label = "sales")]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) total: &'static str,
    pub(crate) category: &'static str,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderCreated {
    pub(crate) order_id: u64,
    pub(crate) total: String,
    pub(crate) source: String,
}

#[task]
impl ModelPublisherTask for OrderCreated {
    fn content(order: &Order, source: &String) -> Self {
        Self {
            order_id: order.id,
            total: order.total.to_owned(),
            source: source.clone(),
        }
    }

    fn attributes(order: &Order, _source: &String) -> Attributes {
        [("category".to_owned(), order.category.to_owned())].into()
    }
}

pub(crate) struct NewOrders;

#[task]
impl SubscriberTask for NewOrders {
    async fn run(message: Message<OrderCreated>, cx: Context<Journal>) -> TaskResult {
        note_message(&cx, message, Input::Created);
        Ok(())
    }
}

/// Takes bytes of any kind.
pub(crate) struct RawListener;

#[task(topic = "raw")]
impl SubscriberTask for RawListener {
    async fn run(message: Message<Vec<u8>>, cx: Context<Journal>) -> TaskResult {
        note_message(&cx, message, Input::Raw);
        Ok(())
    }

    fn parse(data: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok(data.to_vec())
    }
}
