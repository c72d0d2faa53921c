//! Publishers, model publishers and subscribers that several tests share.

use std::collections::BTreeMap;
use std::time::SystemTime;

use cloud_tasks::event::{Attributes, Topic};
use cloud_tasks::{
    BoxError, Context, Discard, Message, Model, ModelPublisherTask, PublisherTask, SubscriberTask,
    TaskResult, task,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tasks::Log;

#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct UserAction {
    pub(crate) user_id: u64,
    pub(crate) action: String,
}

#[task(topic = "user-actions", queue = "events")]
impl PublisherTask for UserAction {}

pub(crate) fn action(name: &str) -> UserAction {
    UserAction {
        user_id: 7,
        action: name.into(),
    }
}

/// Named after its type.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Heartbeat {}

#[task]
impl PublisherTask for Heartbeat {}

/// Owned by another application.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct AccountClosed {
    pub(crate) id: u64,
}

#[task(topic = "account-closed", app = "accounts")]
impl PublisherTask for AccountClosed {}

/// On a topic that has no prefix.
#[derive(Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Legacy(pub(crate) Value);

#[task(absolute_topic = "legacy-bus")]
impl PublisherTask for Legacy {}

#[derive(Model)]
#[model(app_label = "sales")]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) category: &'static str,
}

pub(crate) struct Campaign(pub(crate) &'static str);

#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct OrderPlaced {
    pub(crate) order_id: u64,
    pub(crate) source: String,
}

#[task]
impl ModelPublisherTask for OrderPlaced {
    fn content(order: &Order, campaign: &Campaign) -> Self {
        Self {
            order_id: order.id,
            source: campaign.0.into(),
        }
    }

    fn attributes(order: &Order, _campaign: &Campaign) -> Attributes {
        [("category".to_owned(), order.category.to_owned())].into()
    }
}

/// Its topic depends on the object.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct ProductUpdated {
    id: u64,
}

#[task]
impl ModelPublisherTask for ProductUpdated {
    fn content(order: &Order, _extra: &()) -> Self {
        Self { id: order.id }
    }

    fn topic_for(order: &Order, _extra: &()) -> Topic {
        Topic::new(format!("product-updates-{}", order.category))
    }
}

#[derive(Deserialize, Serialize)]
pub(crate) struct LabelledOrder {
    id: u64,
}

#[task(app_label = "Warehouse")]
impl ModelPublisherTask for LabelledOrder {
    fn content(order: &Order, _extra: &()) -> Self {
        Self { id: order.id }
    }
}

/// Sees every action.
pub(crate) struct Auditor;

#[task]
impl SubscriberTask for Auditor {
    async fn run(message: Message<UserAction>, cx: Context<Log>) -> TaskResult<String> {
        let trace = cx
            .metadata()
            .headers()
            .get("traceparent")
            .map(|value| format!(" {value:?}"));
        cx.state().write(format!(
            "audited {} {:?}{}",
            message.content.action,
            message.attributes,
            trace.unwrap_or_default()
        ));
        match message.content.action.as_str() {
            "fail" => Err("the audit failed")?,
            "discard" => Err(Discard::new("seen before"))?,
            "discard with 204" => Err(Discard::new("seen before").status(204)?)?,
            "discard with 206" => Err(Discard::new("seen before").status(206)?)?,
            "panic" => panic!("the auditor fell over"),
            other => Ok(format!("audited {other}")),
        }
    }
}

/// Sees what is urgent, and reads the attributes as a struct.
pub(crate) struct Pager;

#[derive(Debug, Deserialize)]
pub(crate) struct Urgency {
    priority: String,
    #[serde(default)]
    level: Option<u8>,
}

#[task(filter = r#"attributes.priority = "high""#, subscription = "pager-duty")]
impl SubscriberTask for Pager {
    async fn run(message: Message<UserAction, Urgency>, cx: Context<Log>) -> TaskResult {
        let Urgency { priority, level } = message.attributes;
        cx.state().write(format!(
            "paged for {}: {priority} {level:?}",
            message.content.action
        ));
        if message.content.action == "fail" {
            Err("the pager is off")?;
        }
        Ok(())
    }
}

/// Tells all that there is to know of a message, and reads any bytes.
pub(crate) struct Raw;

#[task(topic = "raw-bytes")]
impl SubscriberTask for Raw {
    fn parse(data: &[u8]) -> Result<Vec<u8>, BoxError> {
        if data == b"refuse me" {
            return Err("hunter2".into());
        }
        Ok(data.to_vec())
    }

    async fn run(message: Message<Vec<u8>>, cx: Context) -> TaskResult<Value> {
        let seconds = |time: SystemTime| {
            time.duration_since(SystemTime::UNIX_EPOCH)
                .ok()
                .map(|since| since.as_secs())
        };
        Ok(serde_json::json!({
            "bytes": message.content,
            "attributes": message.attributes,
            "id": message.id,
            "publish_time": message.publish_time.and_then(seconds),
            "ordering_key": message.ordering_key,
            "delivery_attempt": message.delivery_attempt,
            "subscription": message.subscription,
            "attempt": cx.metadata().attempt(),
        }))
    }
}

/// Hands its messages on to Cloud Tasks.
pub(crate) struct Forwarder;

#[task(topic = "to-forward", use_cloud_tasks, queue = "forwarded")]
impl SubscriberTask for Forwarder {
    async fn run(message: Message<BTreeMap<String, u64>>, cx: Context<Log>) -> TaskResult {
        cx.state().write(format!(
            "{:?} {:?} {}",
            message.content, message.attributes, message.id
        ));
        Ok(())
    }
}

/// Hears of what another application does.
pub(crate) struct Cleaner;

#[task]
impl SubscriberTask for Cleaner {
    async fn run(message: Message<AccountClosed>, cx: Context<Log>) -> TaskResult {
        cx.state().write(format!("cleaned {}", message.content.id));
        Ok(())
    }
}

/// Every option that a subscription has.
pub(crate) struct Everything;

#[task(
    name = "everything",
    topic = "all-options",
    app = "other",
    filter = "attributes:kind",
    max_retries = 7,
    min_backoff = "5s",
    max_backoff = "60s",
    expiration = "never",
    ack_deadline = "2m",
    dead_letter_topic = "failed",
    dead_letter_subscription = "failed-sub",
    oidc = false,
    absolute_subscription = "hand-made",
    url = "https://elsewhere.example/hook",
    ordering,
    retention = "1h"
)]
impl SubscriberTask for Everything {
    async fn run(_message: Message<Value>, _cx: Context) -> TaskResult {
        Ok(())
    }
}
