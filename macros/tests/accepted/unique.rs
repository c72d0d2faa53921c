//! Every way to make tasks the same one.
#![deny(warnings)]

use std::time::Duration;

use cloud_tasks::{Context, ModelPublisherTask, PublisherTask, Task, TaskResult, task};
use serde::{Deserialize, Serialize};

const WINDOW: Duration = Duration::from_secs(300);

#[derive(Serialize, Deserialize)]
struct Customer {
    id: u64,
}

#[derive(Serialize, Deserialize)]
struct Charge {
    #[serde(rename = "orderId")]
    order_id: u64,
    customer: Customer,
    r#type: (u8, String),
}

#[task(unique(by = ["order_id", "customer.id", "type.1"], window = "5m"))]
impl Task for Charge {
    async fn run(self, _cx: Context) -> TaskResult {
        let _ = (self.order_id, self.customer.id, self.r#type);
        Ok(())
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Digest(u32);

#[task(every = "@daily", unique(by = ["0"], window = WINDOW))]
impl Task for Digest {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Once;

#[task(only_once)]
impl Task for Once {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Plain;

#[task(unique)]
impl Task for Plain {
    async fn run(self, _cx: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct OrderPaid {
    order_id: u64,
}

#[task(unique(by = ["order_id"]))]
impl PublisherTask for OrderPaid {}

struct Order {
    id: u64,
}

#[derive(Serialize, Deserialize)]
struct OrderMade {
    order_id: u64,
}

#[task(app_label = "sales", unique(by = ["order_id"]))]
impl ModelPublisherTask for OrderMade {
    fn content(order: &Order, _: &()) -> Self {
        Self { order_id: order.id }
    }
}

macro_rules! of {
    ($name:ident, $field:ident, $text:literal) => {
        #[derive(Serialize, Deserialize)]
        struct $name {
            $field: u64,
        }

        #[task(unique(by = [$text]))]
        impl Task for $name {
            async fn run(self, _cx: Context) -> TaskResult {
                let _ = self.$field;
                Ok(())
            }
        }
    };
}

of!(OfMacro, number, "number");
