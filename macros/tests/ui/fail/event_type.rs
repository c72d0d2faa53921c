//! An event is one type that owns what it carries, and so is a subscriber.

use cloud_tasks::{Context, Message, ModelPublisherTask, PublisherTask, SubscriberTask, TaskResult, task};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Borrows<'a>(&'a str);

#[task]
impl<'a> PublisherTask for Borrows<'a> {}

#[derive(Serialize)]
struct BorrowsModel<'a>(&'a str);

#[task]
impl ModelPublisherTask for BorrowsModel<'_> {
    fn content(name: &String, _: &()) -> Self {
        let _ = name;
        Self("")
    }
}

struct BorrowsSubscriber<'a>(&'a str);

#[task(topic = "anything")]
impl SubscriberTask for BorrowsSubscriber<'_> {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

#[task]
impl PublisherTask for (u8, u16) {}

#[task(topic = "anything")]
impl SubscriberTask for &'static str {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Wrapper<T>(T);

#[task]
impl<T: Serialize + DeserializeOwned + Send + 'static> PublisherTask for Wrapper<T> {}

#[derive(Serialize, Deserialize)]
struct WrapperModel<T>(T);

#[task(topic = "wrapped")]
impl<T: Serialize + DeserializeOwned + Send + Clone + 'static> ModelPublisherTask for WrapperModel<T> {
    fn content(value: &T, _: &()) -> Self {
        Self(value.clone())
    }
}

struct WrapperSubscriber<T>(T);

#[task(topic = "wrapped")]
impl<T: DeserializeOwned + Send + 'static> SubscriberTask for WrapperSubscriber<T> {
    async fn run(_: Message<T>, _: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Many<T>(T);

#[task]
impl PublisherTask for Many<u32> {}

#[task(name = "Many.u64")]
impl PublisherTask for Many<u64> {}

#[task(topic = "many-strings")]
impl PublisherTask for Many<String> {}

#[derive(Serialize, Deserialize)]
struct ManyModels<T>(T);

#[task(topic = "many-models")]
impl ModelPublisherTask for ManyModels<u32> {
    fn content(value: &u32, _: &()) -> Self {
        Self(*value)
    }
}

struct ManySubscribers<T>(T);

#[task(topic = "many-strings")]
impl SubscriberTask for ManySubscribers<u32> {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Überweisung;

#[task]
impl PublisherTask for Überweisung {}

#[derive(Serialize, Deserialize)]
struct _Hidden;

#[task]
impl PublisherTask for _Hidden {}

fn main() {}
