//! Every option of a publisher, as a literal and as a constant.
#![deny(warnings)]

use std::time::Duration;

use cloud_tasks::event::Topic;
use cloud_tasks::task::Registered;
use cloud_tasks::{Config, Event, PublisherTask, task};
use serde::{Deserialize, Serialize};

const APP: &str = "accounts";

mod names {
    pub const TOPIC: &str = concat!("user", "-", "actions");
}

#[derive(Serialize, Deserialize)]
struct Bare;

#[task]
impl PublisherTask for Bare {}

#[derive(Serialize, Deserialize)]
struct Full {
    user_id: u64,
}

#[task(
    name = "UserAction",
    aliases = ["Old"],
    queue = "events",
    timeout = "1m",
    topic = "user-actions",
    app = "accounts",
    crate = cloud_tasks,
)]
impl cloud_tasks::PublisherTask for Full {}

#[derive(Serialize, Deserialize)]
struct Constants;

impl Constants {
    const QUEUE: &str = "events";
}

#[task(topic = names::TOPIC, app = APP, queue = Self::QUEUE, timeout = Duration::from_secs(20))]
impl PublisherTask for Constants {}

#[derive(Serialize, Deserialize)]
struct Absolute;

#[task(absolute_topic = if true { "legacy-bus" } else { "bus" })]
impl PublisherTask for Absolute {}

#[derive(Serialize, Deserialize)]
struct Path;

#[task(topic = "projects/p/topics/bus")]
impl PublisherTask for Path {}

#[derive(Serialize, Deserialize)]
struct AbsolutePath;

#[task(absolute_topic = "projects/p/topics/bus")]
impl PublisherTask for AbsolutePath {}

/// A message of any shape.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Anything(Vec<(String, u8)>);

#[task(topic = "anything")]
impl PublisherTask for Anything {}

#[derive(Serialize, Deserialize)]
struct Changed<T>(T);

#[task(name = "Changed.u32", topic = "changed-u32")]
impl PublisherTask for Changed<u32> {}

#[task(name = "Changed.u64", absolute_topic = "changed-u64")]
impl PublisherTask for Changed<u64> {}

macro_rules! events {
    ($($ty:ident $topic:expr;)*) => {$(
        #[derive(Serialize, Deserialize)]
        struct $ty;

        #[task(topic = $topic)]
        impl PublisherTask for $ty {}
    )*};
}

events! {
    A "aaa";
    B concat!("b", "b", "b");
}

#[test]
fn the_topic_of_an_event_comes_from_its_options_or_its_type() {
    fn topic<E: Event + Registered>() -> Topic {
        E::topic()
    }

    let _ = Full { user_id: 7 }.user_id;
    assert_eq!(topic::<Bare>(), Topic::new("Bare"));
    assert_eq!(topic::<Full>(), Topic::new("user-actions").of_app("accounts"));
    assert_eq!(topic::<Constants>(), topic::<Full>());
    assert_eq!(topic::<Absolute>(), Topic::absolute("legacy-bus"));
    assert_eq!(topic::<Path>().name(&Config::default()), "projects/p/topics/bus");
    assert_eq!(topic::<AbsolutePath>(), topic::<Path>());
    assert_eq!(topic::<Changed<u32>>(), Topic::new("changed-u32"));
    assert_eq!(topic::<Changed<u64>>(), Topic::absolute("changed-u64"));
    assert_eq!(topic::<B>(), Topic::new("bbb"));
}
