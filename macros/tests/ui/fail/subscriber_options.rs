//! The options of a subscription are checked where they stand.

use cloud_tasks::{Context, Message, SubscriberTask, TaskResult, task};

struct Filter;

#[task(topic = "bus", filter = "")]
impl SubscriberTask for Filter {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct LongFilter;

#[task(topic = "bus", filter = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")]
impl SubscriberTask for LongFilter {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct FilterNumber;

#[task(topic = "bus", filter = 7)]
impl SubscriberTask for FilterNumber {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct Retries;

#[task(topic = "bus", max_retries = 101)]
impl SubscriberTask for Retries {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct RetriesNegative;

#[task(topic = "bus", max_retries = -1)]
impl SubscriberTask for RetriesNegative {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct RetriesText;

#[task(topic = "bus", max_retries = "5")]
impl SubscriberTask for RetriesText {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct RetriesSuffix;

#[task(topic = "bus", max_retries = 5u8)]
impl SubscriberTask for RetriesSuffix {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct RetriesWithLetters;

#[task(topic = "bus", max_retries = 4, dead_letter_topic = "failed")]
impl SubscriberTask for RetriesWithLetters {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct Backoffs;

#[task(topic = "bus", min_backoff = "11m", max_backoff = 60)]
impl SubscriberTask for Backoffs {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct BackoffOrder;

#[task(topic = "bus", min_backoff = "1m", max_backoff = "5s")]
impl SubscriberTask for BackoffOrder {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct Expiration;

#[task(topic = "bus", expiration = "23h")]
impl SubscriberTask for Expiration {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct ExpirationUnit;

#[task(topic = "bus", expiration = "31")]
impl SubscriberTask for ExpirationUnit {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct ExpirationNumber;

#[task(topic = "bus", expiration = 31)]
impl SubscriberTask for ExpirationNumber {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct ExpirationWord;

#[task(topic = "bus", expiration = "forever")]
impl SubscriberTask for ExpirationWord {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct ExpirationQuotes;

#[task(topic = "bus", expiration = 31d)]
impl SubscriberTask for ExpirationQuotes {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct AckDeadline;

#[task(topic = "bus", ack_deadline = "9s")]
impl SubscriberTask for AckDeadline {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct AckDeadlineParts;

#[task(topic = "bus", ack_deadline = "10500ms")]
impl SubscriberTask for AckDeadlineParts {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct Retention;

#[task(topic = "bus", retention = "5m")]
impl SubscriberTask for Retention {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct RetentionLong;

#[task(topic = "bus", retention = "32d")]
impl SubscriberTask for RetentionLong {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct DeadLetters;

#[task(topic = "bus", dead_letter_topic = "1st")]
impl SubscriberTask for DeadLetters {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct DeadLetterPath;

#[task(topic = "bus", dead_letter_topic = "topics/failed")]
impl SubscriberTask for DeadLetterPath {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct DeadLettersAlone;

#[task(topic = "bus", dead_letter_subscription = "failed")]
impl SubscriberTask for DeadLettersAlone {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct DeadLetterSubscription;

#[task(topic = "bus", dead_letter_topic = "failed", dead_letter_subscription = "a/b")]
impl SubscriberTask for DeadLetterSubscription {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct DeadLetterCircle;

#[task(topic = "bus", dead_letter_topic = "bus")]
impl SubscriberTask for DeadLetterCircle {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct Oidc;

#[task(topic = "bus", oidc)]
impl SubscriberTask for Oidc {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct OidcText;

#[task(topic = "bus", oidc = "no")]
impl SubscriberTask for OidcText {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct Ordering;

#[task(topic = "bus", ordering = 1)]
impl SubscriberTask for Ordering {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct OrderingEmpty;

#[task(topic = "bus", ordering =, use_cloud_tasks = )]
impl SubscriberTask for OrderingEmpty {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct UseCloudTasks;

#[task(topic = "bus", use_cloud_tasks = "yes")]
impl SubscriberTask for UseCloudTasks {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct Subscription;

#[task(topic = "bus", subscription = "my audit")]
impl SubscriberTask for Subscription {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct SubscriptionPath;

#[task(topic = "bus", subscription = "projects/p/subscriptions/audit")]
impl SubscriberTask for SubscriptionPath {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct SubscriptionAbsolute;

#[task(topic = "bus", absolute_subscription = "ab")]
impl SubscriberTask for SubscriptionAbsolute {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct SubscriptionTwice;

#[task(topic = "bus", subscription = "audit", absolute_subscription = "audit")]
impl SubscriberTask for SubscriptionTwice {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct Url;

#[task(topic = "bus", url = "example.com")]
impl SubscriberTask for Url {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct UrlBlank;

#[task(topic = "bus", url = "https://example.com/a b")]
impl SubscriberTask for UrlBlank {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct Typo;

#[task(topic = "bus", max_retry = 5, orderin)]
impl SubscriberTask for Typo {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct Several;

#[task(topic = "bus", filter = "", max_retries = 500, min_backoff = 5, oidc = 1, url = "")]
impl SubscriberTask for Several {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

struct InOrder;

#[task(topic = "bus", use_cloud_tasks, ordering)]
impl SubscriberTask for InOrder {
    async fn run(_: Message<String>, _: Context) -> TaskResult {
        Ok(())
    }
}

fn main() {}
