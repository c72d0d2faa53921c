//! The label of a model's application stands for a topic.

use cloud_tasks::{ModelPublisherTask, task};
use serde::{Deserialize, Serialize};

struct Order;
struct Überweisung;

macro_rules! events {
    ($($ty:ident)*) => {$(
        #[derive(Serialize, Deserialize)]
        struct $ty;
    )*};
}

events! { A B C D E F G }

#[task(app_label = "my sales")]
impl ModelPublisherTask for A {
    fn content(_: &Order, _: &()) -> Self {
        Self
    }
}

#[task(app_label = 7)]
impl ModelPublisherTask for B {
    fn content(_: &Order, _: &()) -> Self {
        Self
    }
}

#[task(app_label = "sales", topic = "orders")]
impl ModelPublisherTask for C {
    fn content(_: &Order, _: &()) -> Self {
        Self
    }
}

#[task(absolute_topic = "orders", app_label = "sales")]
impl ModelPublisherTask for D {
    fn content(_: &Order, _: &()) -> Self {
        Self
    }
}

#[task(app_label = "sales")]
impl ModelPublisherTask for E {
    fn content(_: &Option<Order>, _: &()) -> Self {
        Self
    }
}

#[task(app_label = "sales")]
impl ModelPublisherTask for F {
    type Model = (Order, Order);

    fn content(_: &Self::Model, _: &()) -> Self {
        Self
    }
}

#[task(app_label = "sales")]
impl ModelPublisherTask for G {
    fn content(_: &Überweisung, _: &()) -> Self {
        Self
    }
}

fn main() {}
