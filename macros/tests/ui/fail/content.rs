//! `content` makes the event of a model and what else the call passes.

use cloud_tasks::event::Topic;
use cloud_tasks::{ModelPublisherTask, task};
use serde::{Deserialize, Serialize};

struct Order;
struct Row<'a>(&'a str);
type Reference<'a> = &'a Order;

macro_rules! events {
    ($($ty:ident)*) => {$(
        #[derive(Serialize, Deserialize)]
        struct $ty;
    )*};
}

events! { A B C D E F G H I J K L M }

#[task]
impl ModelPublisherTask for A {}

#[task]
impl ModelPublisherTask for B {
    fn content() -> Self {
        Self
    }
}

#[task(topic = "orders")]
impl ModelPublisherTask for C {
    fn content(_: &Order) -> Self {
        Self
    }
}

#[task(topic = "orders")]
impl ModelPublisherTask for D {
    fn content(_: &Order, _: &(), _: u8) -> Self {
        Self
    }
}

#[task(topic = "orders")]
impl ModelPublisherTask for E {
    fn content(&self, _: &Order, _: &()) -> Self {
        Self
    }
}

#[task(topic = "orders")]
impl ModelPublisherTask for F {
    fn content(self) -> Self {
        self
    }
}

#[task(topic = "orders")]
impl ModelPublisherTask for G {
    async fn content(_: &Order, _: &()) -> Self {
        Self
    }
}

#[task(topic = "orders")]
impl ModelPublisherTask for H {
    fn content(_: &Order, _: &()) {}
}

#[task]
impl ModelPublisherTask for I {
    fn content(_: Order, _: ()) -> Self {
        Self
    }
}

#[task]
impl ModelPublisherTask for J {
    fn content(_: Reference<'_>, _: &Row<'_>) -> Self {
        Self
    }
}

#[task(topic = "orders")]
impl ModelPublisherTask for K {
    fn content(_: &mut Order, _: &()) -> Self {
        Self
    }
}

#[task(topic = "orders")]
impl ModelPublisherTask for L {
    fn content<'a>(row: &Row<'a>, _: &()) -> Self {
        let _ = row.0;
        Self
    }
}

#[task(app_label = "sales")]
impl ModelPublisherTask for M {
    fn content(_: &Order, _: &()) -> Self {
        Self
    }

    fn topic() -> Topic {
        Topic::new("orders")
    }
}

fn main() {}
