//! A topic that is written out is checked where it stands, and named in one way.

use cloud_tasks::{PublisherTask, task};
use serde::{Deserialize, Serialize};

const BUS: &str = "bus";

macro_rules! events {
    ($($ty:ident)*) => {$(
        #[derive(Serialize, Deserialize)]
        struct $ty;
    )*};
}

events! { A B C D E F G H I J K L M N O P Q R S }

#[task(topic = "user actions")]
impl PublisherTask for A {}

#[task(topic = "")]
impl PublisherTask for B {}

#[task(topic = "1st")]
impl PublisherTask for C {}

#[task(topic = 7)]
impl PublisherTask for D {}

#[task(topic = "projects/p/subscriptions/bus")]
impl PublisherTask for E {}

#[task(absolute_topic = "ab")]
impl PublisherTask for F {}

#[task(absolute_topic = "google")]
impl PublisherTask for G {}

#[task(absolute_topic = "projects/p/topics/ab")]
impl PublisherTask for H {}

#[task(absolute_topic)]
impl PublisherTask for I {}

#[task(app = "")]
impl PublisherTask for J {}

#[task(app = "a/b")]
impl PublisherTask for K {}

#[task(topic = "bus", absolute_topic = "bus")]
impl PublisherTask for L {}

#[task(app = BUS, absolute_topic = BUS)]
impl PublisherTask for M {}

#[task(app = "accounts", topic = "projects/p/topics/bus")]
impl PublisherTask for N {}

#[task(topic = "", absolute_topic = "a", app = "")]
impl PublisherTask for O {}

#[task(topik = "bus")]
impl PublisherTask for P {}

#[task(app_label = "sales")]
impl PublisherTask for Q {}

#[task(topic = "bus", topic = "bus")]
impl PublisherTask for R {}

#[task]
impl PublisherTask for S {
    fn topic() -> cloud_tasks::event::Topic {
        cloud_tasks::event::Topic::new("bus")
    }
}

fn main() {}
