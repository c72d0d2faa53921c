//! The shop's events: a placed order, and its subscribers.

use std::collections::BTreeMap;

use cloud_tasks::event::Attributes;
use cloud_tasks::{Context, Message, Model, ModelPublisherTask, SubscriberTask, TaskResult, task};
use serde::{Deserialize, Serialize};

use crate::activity::Activity;

/// An order, like a row of a database.
#[derive(Model)]
#[model(app_label = "sales")]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) express: bool,
}

/// The event of a placed order, on the topic `sales-order`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct OrderPlaced {
    pub(crate) order_id: u64,
}

#[task(queue = "events")]
impl ModelPublisherTask for OrderPlaced {
    fn content(order: &Order, _extra: &()) -> Self {
        Self { order_id: order.id }
    }

    fn attributes(order: &Order, _extra: &()) -> Attributes {
        BTreeMap::from([("express".to_owned(), order.express.to_string())])
    }
}

/// Ships express orders; the filter excludes all others.
pub(crate) struct ShipExpress;

#[task(filter = r#"attributes.express = "true""#)]
impl SubscriberTask for ShipExpress {
    async fn run(message: Message<OrderPlaced>, cx: Context<Activity>) -> TaskResult {
        let outcome = format!("shipped order {}", message.content.order_id);
        cx.state().record("ShipExpress", cx.metadata(), outcome);
        Ok(())
    }
}

/// Charges the card. Every attempt fails on purpose: "the card was refused".
pub(crate) struct ChargeCard;

#[task(
    max_retries = 5,
    min_backoff = "0s",
    max_backoff = "1s",
    dead_letter_topic = "orders-failed"
)]
impl SubscriberTask for ChargeCard {
    async fn run(message: Message<OrderPlaced>, cx: Context<Activity>) -> TaskResult {
        let outcome = format!(
            "failed: the card of order {} was refused",
            message.content.order_id
        );
        cx.state().record("ChargeCard", cx.metadata(), outcome);
        Err("the card was refused")?
    }
}

/// Handles the orders that could not be charged.
pub(crate) struct HandleFailedOrder;

#[task(topic = "orders-failed")]
impl SubscriberTask for HandleFailedOrder {
    async fn run(message: Message<OrderPlaced>, cx: Context<Activity>) -> TaskResult {
        let outcome = format!(
            "took order {} from the dead-letter topic",
            message.content.order_id
        );
        cx.state().record("HandleFailedOrder", cx.metadata(), outcome);
        Ok(())
    }
}
