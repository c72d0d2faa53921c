//! What the services `shop` and `billing` have in common: the task that one enqueues and the other runs, and the event that
//! one publishes and the other hears. A crate of declarations needs no features of `cloud-tasks`.
//!
//! ```text
//! cargo run -p cloud-tasks-two-services
//! ```

use cloud_tasks::task::SharedTask;
use cloud_tasks::{PublisherTask, task};
use serde::{Deserialize, Serialize};

/// Charges an invoice: `billing` runs it, anybody may enqueue it.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub struct Charge {
    /// The number of the invoice.
    pub invoice: u64,
}

#[task(service = "billing", queue = "charges", timeout = "2m", aliases = ["ChargeInvoice"], unique)]
impl SharedTask for Charge {}

/// An order was placed: `shop` publishes it, anybody may hear it.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub struct OrderPlaced {
    /// The number of the order.
    pub order: u64,
}

#[task(shared, topic = "orders", app = "shop")]
impl PublisherTask for OrderPlaced {}
