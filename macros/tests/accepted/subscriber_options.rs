//! Every option of a subscriber, as a literal and as a constant.
#![deny(warnings)]

use std::time::Duration;

use cloud_tasks::{Context, Message, SubscriberTask, TaskResult, task};

struct Literals;

#[task(
    name = "Audit",
    aliases = ["Auditor"],
    queue = "slow",
    timeout = "1m",
    idempotent,
    topic = "user-actions",
    app = "accounts",
    filter = r#"attributes.priority = "high""#,
    max_retries = 5,
    min_backoff = "5s",
    max_backoff = "1m",
    expiration = "31d",
    ack_deadline = "30s",
    dead_letter_topic = "user-actions-failed",
    dead_letter_subscription = "user-actions-failed",
    oidc = false,
    subscription = "audit",
    url = "https://example.com/push",
    ordering = true,
    retention = "7d",
    use_cloud_tasks = false,
    crate = "cloud_tasks",
)]
impl SubscriberTask for Literals {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct Least;

#[task(
    topic = "a",
    max_retries = 0,
    min_backoff = "0s",
    max_backoff = "0s",
    expiration = "1d",
    ack_deadline = "10s",
    retention = "10m",
    bare_body,
    use_cloud_tasks
)]
impl SubscriberTask for Least {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct Most;

#[task(
    topic = "a",
    max_retries = 100,
    min_backoff = "600s",
    max_backoff = "10m",
    expiration = "never",
    ack_deadline = "10m",
    retention = "31d",
    absolute_subscription = "projects/p/subscriptions/most",
    dead_letter_topic = "projects/p/topics/most"
)]
impl SubscriberTask for Most {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

const TEXT: &str = "user-actions";
const YES: bool = true;
const RETRIES: u32 = 5;
const MINUTE: Duration = Duration::from_secs(60);

struct Constants;

impl Constants {
    const NO: bool = false;
}

#[task(
    topic = TEXT,
    app = TEXT,
    filter = concat!("attributes", ":", "key"),
    max_retries = RETRIES * 2,
    min_backoff = MINUTE,
    max_backoff = MINUTE,
    expiration = Duration::MAX,
    ack_deadline = MINUTE,
    dead_letter_topic = concat!("user-actions", "-failed"),
    dead_letter_subscription = TEXT,
    oidc = Self::NO,
    absolute_subscription = TEXT,
    url = concat!("https://", "example.com"),
    ordering = YES,
    idempotent = YES,
    retention = Duration::from_secs(600),
    use_cloud_tasks = !YES
)]
impl SubscriberTask for Constants {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}
