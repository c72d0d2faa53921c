//! A subscriber: where its types, its topic and its parser come from.
#![deny(warnings)]

use std::collections::BTreeMap;

use cloud_tasks::event::{Attributes, Topic};
use cloud_tasks::{BoxError, Context, Event, Message, PublisherTask, SubscriberTask, TaskResult, task};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct UserAction {
    user_id: u64,
}

#[task(topic = "user-actions", app = "accounts")]
impl PublisherTask for UserAction {}

/// An event that is published elsewhere.
#[derive(Deserialize)]
struct Foreign;

impl Event for Foreign {
    fn topic() -> Topic {
        Topic::new("foreign")
    }
}

#[derive(Clone)]
struct Db;

#[derive(Deserialize)]
struct Details {
    priority: u8,
}

struct OfContent;

#[task]
impl SubscriberTask for OfContent {
    async fn run(message: Message<UserAction>, cx: Context<Db>) -> TaskResult<u64> {
        let Db = cx.state();
        let _: &Attributes = &message.attributes;
        Ok(message.content.user_id)
    }
}

struct TypedAttributes;

#[task(app = "shop")]
impl cloud_tasks::SubscriberTask for TypedAttributes {
    async fn run(
        Message { attributes, .. }: cloud_tasks::Message<Foreign, Details>,
        _: cloud_tasks::Context<(Db, String)>,
    ) -> Result<u8, cloud_tasks::TaskError> {
        Ok(attributes.priority)
    }
}

struct Named;

#[task(topic = "anything")]
impl SubscriberTask for Named {
    async fn run(message: Message<Option<u8>, BTreeMap<String, String>>, _: Context) -> TaskResult<bool> {
        Ok(message.content.is_none())
    }
}

struct Raw;

/// The content is no JSON, and its type need not be read by serde.
#[task(absolute_topic = "raw-bytes")]
impl SubscriberTask for Raw {
    fn parse(data: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok(data.to_vec())
    }

    async fn run(message: Message<Vec<u8>>, _: Context) -> TaskResult<usize> {
        Ok(message.content.len())
    }
}

struct Own;

#[task]
impl SubscriberTask for Own {
    type State = Db;
    type Output = ();
    type Content = String;
    type Attributes = Attributes;

    fn topic() -> Topic {
        Topic::new("own").of_app("other")
    }

    fn run(
        _: Message<Self::Content, Self::Attributes>,
        _: Context<Self::State>,
    ) -> impl Future<Output = TaskResult> + Send {
        async { Ok(()) }
    }
}

struct Typed<T>(#[allow(dead_code)] T);

#[task(name = "Typed.u32")]
impl SubscriberTask for Typed<u32> {
    async fn run(_: Message<UserAction>, _: Context) -> TaskResult {
        Ok(())
    }
}

#[test]
fn the_topic_of_a_subscriber_comes_from_its_options_or_its_content() {
    let actions = Topic::new("user-actions").of_app("accounts");
    assert_eq!(OfContent::topic(), actions);
    assert_eq!(TypedAttributes::topic(), Topic::new("foreign").of_app("shop"));
    assert_eq!(Named::topic(), Topic::new("anything"));
    assert_eq!(Raw::topic(), Topic::absolute("raw-bytes"));
    assert_eq!(Own::topic(), Topic::new("own").of_app("other"));
    assert_eq!(Typed::<u32>::topic(), actions);

    let parsed = OfContent::parse(br#"{"user_id": 7}"#).map(|action| action.user_id);
    assert!(parsed.is_ok_and(|id| id == 7));
    assert!(OfContent::parse(b"\xFF").is_err());
    assert!(Raw::parse(b"\xFF").is_ok());
}
