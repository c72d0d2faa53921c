//! A type for each way to be unique.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloud_tasks::{
    Context, Discard, Model, ModelPublisherTask, PublisherTask, Runtime, Task, TaskResult, task,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What tasks wrote down, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u64>>>);

impl Log {
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.0.lock().unwrap().clone()
    }
}

/// Unique by its arguments.
#[derive(Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) number: u64,
}

#[task(queue = "counts", unique)]
impl Task for Count {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        cx.state().0.lock().unwrap().push(self.number);
        match self.number {
            13 if cx.state().numbers().len() == 1 => Err("unlucky")?,
            17 => Err(Discard::new("nobody wants it"))?,
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Customer {
    pub(crate) id: u64,
    pub(crate) name: String,
}

/// Unique by two of its fields, whatever these are called on the wire.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Purchase {
    pub(crate) order_id: u64,
    pub(crate) customer: Customer,
    pub(crate) at: u64,
}

#[task(unique(by = ["order_id", "customer.id"]))]
impl Task for Purchase {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Any arguments, with keys of no order.
#[derive(Serialize, Deserialize)]
pub(crate) struct Keyed {
    pub(crate) by_key: HashMap<String, Value>,
}

#[task(unique)]
impl Task for Keyed {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Unique where a call says so.
#[derive(Serialize, Deserialize)]
pub(crate) struct Plain {
    pub(crate) number: u64,
}

#[task]
impl Task for Plain {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Migrate {
    pub(crate) step: u64,
}

#[task(only_once)]
impl Task for Migrate {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

const DECADE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A schedule whose window no test sees the end of.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Bulletin {
    pub(crate) limit: u32,
}

#[task(every = "@daily", payload = Bulletin { limit: 10 }, unique(by = ["limit"], window = DECADE))]
impl Task for Bulletin {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// An event whose task is unique by the whole message.
#[derive(Serialize, Deserialize)]
pub(crate) struct Shipped {
    pub(crate) order_id: u64,
}

#[task(unique)]
impl PublisherTask for Shipped {}

/// An event whose task is unique by one field of its content.
#[derive(Serialize, Deserialize)]
pub(crate) struct Paid {
    pub(crate) order_id: u64,
    pub(crate) cents: u64,
}

#[task(unique(by = ["order_id"]))]
impl PublisherTask for Paid {}

#[derive(Model)]
#[model(app_label = "sales")]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) total: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct OrderMade {
    order_id: u64,
    total: u64,
}

#[task(unique(by = ["order_id"]))]
impl ModelPublisherTask for OrderMade {
    fn content(order: &Order, _extra: &()) -> Self {
        Self {
            order_id: order.id,
            total: order.total,
        }
    }
}

pub(crate) async fn eager(log: &Log) -> Runtime {
    Runtime::eager().state(log.clone()).build().await.unwrap()
}
