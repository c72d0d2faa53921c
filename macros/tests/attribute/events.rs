//! What `#[task]` writes down of publishers and subscribers is what the runtime goes by.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloud_tasks::event::{Attributes, Publication, Subscription, Topic};
use cloud_tasks::{
    BoxError, Config, Context, Error, Message, Model, ModelPublisherTask, PublisherTask, Runtime,
    SubscriberTask, TaskResult, task,
};
use serde::{Deserialize, Serialize};

const FAILED: &str = "user-actions-failed";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: String) {
        self.held().push(line);
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = self.held().clone();
        lines.sort();
        lines
    }

    fn held(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Serialize, Deserialize)]
struct Heartbeat {}

#[task]
impl PublisherTask for Heartbeat {}

#[derive(Serialize, Deserialize)]
struct UserAction {
    user_id: u64,
}

#[task(
    name = "Actions",
    queue = "events",
    timeout = "1m",
    topic = "user-actions",
    app = "accounts"
)]
impl PublisherTask for UserAction {}

#[derive(Serialize, Deserialize)]
struct Changed<T>(T);

#[task(name = "Changed.u32", absolute_topic = concat!("legacy", "-", "bus"))]
impl PublisherTask for Changed<u32> {}

#[derive(Model)]
#[model(app_label = "sales")]
struct Order {
    id: u64,
}

/// Of another crate, as it were.
struct Invoice {
    id: u64,
}

struct Campaign(&'static str);

#[derive(Serialize, Deserialize)]
struct OrderCreated {
    order_id: u64,
    source: String,
}

#[task]
impl ModelPublisherTask for OrderCreated {
    fn content(order: &Order, campaign: &Campaign) -> Self {
        Self {
            order_id: order.id,
            source: campaign.0.to_owned(),
        }
    }

    fn attributes(order: &Order, _: &Campaign) -> Attributes {
        [("id".to_owned(), order.id.to_string())].into()
    }
}

#[derive(Serialize, Deserialize)]
struct InvoiceSent(u64);

#[task(app_label = "billing", app = "books")]
impl ModelPublisherTask for InvoiceSent {
    fn content(invoice: &Invoice, (): &()) -> Self {
        Self(invoice.id)
    }
}

struct Auditor;

#[task]
impl SubscriberTask for Auditor {
    async fn run(message: Message<UserAction>, cx: Context<Log>) -> TaskResult {
        cx.state().add(format!(
            "audited {} {:?}",
            message.content.user_id, message.attributes
        ));
        Ok(())
    }
}

#[derive(Deserialize)]
struct Details {
    priority: u8,
}

struct Urgent;

#[task(
    filter = r#"hasPrefix(attributes.priority, "1")"#,
    max_retries = 0,
    min_backoff = "0s",
    max_backoff = "1m",
    expiration = "never",
    ack_deadline = "30s",
    dead_letter_topic = FAILED,
    dead_letter_subscription = "failed",
    oidc = false,
    subscription = "urgent-actions",
    url = "https://example.com/push",
    ordering,
    retention = "7d"
)]
impl SubscriberTask for Urgent {
    async fn run(message: Message<UserAction, Details>, cx: Context<(Log,)>) -> TaskResult<u8> {
        let (log,) = cx.state();
        let priority = message.attributes.priority;
        log.add(format!("hurried {} {priority}", message.content.user_id));
        Ok(priority)
    }
}

struct Raw;

#[task(absolute_topic = "legacy-bus", absolute_subscription = "legacy-raw")]
impl SubscriberTask for Raw {
    async fn run(message: Message<usize>, cx: Context<Log>) -> TaskResult {
        cx.state().add(format!("counted {}", message.content));
        Ok(())
    }

    fn parse(data: &[u8]) -> Result<usize, BoxError> {
        Ok(data.len())
    }
}

struct Orders;

#[task(expiration = "2d", retention = "1d")]
impl SubscriberTask for Orders {
    fn topic() -> Topic {
        Topic::new("sales-order")
    }

    async fn run(message: Message<OrderCreated>, cx: Context<Log>) -> TaskResult {
        let OrderCreated { order_id, source } = message.content;
        cx.state().add(format!("order {order_id} of {source}"));
        Ok(())
    }
}

fn config() -> Config {
    Config::default()
        .with_app_name("shop")
        .with_endpoint("https://shop.example")
}

#[tokio::test(flavor = "current_thread")]
async fn every_event_goes_to_its_own_topic() -> Result<(), Error> {
    let (runtime, recorder) = Runtime::recorded().config(config()).build().await?;

    let _ = Heartbeat {}.sync().on(&runtime).await?;
    let _ = UserAction { user_id: 7 }.sync().on(&runtime).await?;
    let _ = Changed(5_u32).sync().on(&runtime).await?;
    let created = OrderCreated::of_with(&Order { id: 7 }, &Campaign("spring"));
    let _ = created.sync().on(&runtime).await?;
    let _ = InvoiceSent::of(&Invoice { id: 7 }).sync().on(&runtime).await?;

    let publications = recorder.publications();
    let topics: Vec<_> = publications.iter().map(Publication::topic).collect();
    assert_eq!(
        topics,
        [
            "shop--Heartbeat",
            "accounts--user-actions",
            "legacy-bus",
            "shop--sales-order",
            "books--billing-invoice",
        ]
    );
    assert_eq!(publications[3].data(), br#"{"order_id":7,"source":"spring"}"#);
    assert_eq!(publications[3].attributes()["id"], "7");
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_publishers_options_are_those_of_its_task() -> Result<(), Error> {
    let (runtime, recorder) = Runtime::recorded().config(config()).build().await?;

    let _ = UserAction { user_id: 7 }.asap().on(&runtime).await?;
    let _ = InvoiceSent::of(&Invoice { id: 7 }).asap().on(&runtime).await?;

    let envelopes = recorder.envelopes();
    let seen: Vec<_> = envelopes
        .iter()
        .map(|envelope| (envelope.task(), envelope.queue(), envelope.timeout()))
        .collect();
    let minute = Some(Duration::from_secs(60));
    assert_eq!(
        seen,
        [("Actions", "events", minute), ("InvoiceSent", "shop", None)]
    );
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_published_message_reaches_the_subscribers_of_its_topic() -> Result<(), Error> {
    let log = Log::default();
    let runtime = Runtime::eager()
        .config(config())
        .state(log.clone())
        .build()
        .await?;

    let _ = UserAction { user_id: 1 }.sync().on(&runtime).await?;
    let urgent = UserAction { user_id: 2 }.sync().attribute("priority", "12");
    let _ = urgent.on(&runtime).await?;
    let _ = Changed(12345_u32).sync().on(&runtime).await?;
    let created = OrderCreated::of_with(&Order { id: 7 }, &Campaign("spring"));
    let _ = created.sync().on(&runtime).await?;

    assert_eq!(
        log.lines(),
        [
            "audited 1 {}",
            "audited 2 {\"priority\": \"12\"}",
            "counted 5",
            "hurried 2 12",
            "order 7 of spring",
        ]
    );
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn every_option_is_that_of_the_subscription() -> Result<(), Error> {
    let (runtime, _) = Runtime::recorded().config(config()).build().await?;
    let of = |task: &str| {
        let mut all = runtime.subscriptions().iter();
        all.find(|subscription| subscription.task == task).cloned()
    };

    let Some(Subscription {
        name,
        topic,
        url,
        oidc: false,
        filter: Some(filter),
        max_retries: Some(0),
        min_backoff: Some(Duration::ZERO),
        max_backoff,
        expiration: Some(Duration::MAX),
        ack_deadline,
        dead_letter_topic: Some(dead_letter_topic),
        dead_letter_subscription: Some(dead_letter_subscription),
        ordering: true,
        retention,
        ..
    }) = of("Urgent")
    else {
        panic!("{:?}", of("Urgent"));
    };
    assert_eq!(name, "shop--urgent-actions");
    assert_eq!(topic, "accounts--user-actions");
    assert_eq!(url, "https://example.com/push");
    assert_eq!(filter.as_str(), r#"hasPrefix(attributes.priority, "1")"#);
    assert_eq!(max_backoff, Some(Duration::from_secs(60)));
    assert_eq!(ack_deadline, Some(Duration::from_secs(30)));
    assert_eq!(dead_letter_topic, "shop--user-actions-failed");
    assert_eq!(dead_letter_subscription, "shop--failed");
    assert_eq!(retention, Some(Duration::from_secs(7 * 24 * 60 * 60)));
    let others: Vec<_> = ["Auditor", "Raw", "Orders"]
        .into_iter()
        .filter_map(of)
        .map(|subscription| (subscription.name, subscription.topic, subscription.expiration))
        .collect();
    let two_days = Some(Duration::from_secs(2 * 24 * 60 * 60));
    assert_eq!(
        others,
        [
            ("shop--Auditor".into(), "accounts--user-actions".into(), None),
            ("legacy-raw".into(), "legacy-bus".into(), None),
            ("shop--Orders".into(), "shop--sales-order".into(), two_days),
        ]
    );
    Ok(())
}
