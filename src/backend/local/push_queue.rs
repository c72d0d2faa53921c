//! The queue of a subscription.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::backend::local::emulator::seconds;
use crate::base::names::pubsub_path;
use crate::registry::subscription::{DEFAULT_ACK_DEADLINE, Subscription};

/// The service's default with a dead-letter topic.
const MAX_DELIVERIES: u32 = 5;
/// The service redelivers at once, or with a policy after 10 to 600 seconds; neither is useful on a laptop.
const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// A subscription and the emulator's queue that delivers its messages.
pub(crate) struct PushQueue {
    pub subscription: Subscription,
    /// The full name of the subscription's topic.
    pub topic: String,
    /// The project of the subscription, and its short name there.
    pub project: String,
    pub name: String,
    /// The short name of the queue.
    pub id: String,
    /// Set when the emulator has the queue.
    pub made: OnceCell<()>,
}

impl PushQueue {
    pub fn new(subscription: &Subscription, project: &str) -> Self {
        let path: Vec<_> = subscription.name.split('/').collect();
        let (own_project, name) = match path[..] {
            ["projects", own, "subscriptions", name] => (own, name),
            _ => (project, subscription.name.as_str()),
        };
        Self {
            topic: full_topic(&subscription.topic, project).into_owned(),
            project: own_project.to_owned(),
            name: name.to_owned(),
            id: queue_id(&subscription.name),
            subscription: subscription.clone(),
            made: OnceCell::new(),
        }
    }

    /// The subscription's full name, as in a push.
    pub fn full_name(&self) -> String {
        pubsub_path(&self.project, "subscriptions", &self.name).into_owned()
    }

    /// The deadline of a push.
    pub fn ack_deadline(&self) -> Duration {
        self.subscription.ack_deadline.unwrap_or(DEFAULT_ACK_DEADLINE)
    }

    /// The shortest and the longest backoff before a redelivery.
    fn backoff(&self) -> (Duration, Duration) {
        let (min, max) = match (self.subscription.min_backoff, self.subscription.max_backoff) {
            (Some(min), Some(max)) => (min, max),
            (Some(min), None) => (min, min.max(MAX_BACKOFF)),
            (None, Some(max)) => (max.min(MIN_BACKOFF), max),
            (None, None) => (MIN_BACKOFF, MAX_BACKOFF),
        };
        // Cloud Tasks reads zero as its own default, which is an hour for the longest backoff.
        let floor = Duration::from_millis(1);
        (min.max(floor), max.max(floor))
    }

    /// The settings of the queue, with unlimited retries.
    pub fn settings(&self) -> Value {
        let (min_backoff, max_backoff) = self.backoff();
        json!({
            "retryConfig": {
                "maxAttempts": -1,
                "minBackoff": seconds(min_backoff),
                "maxBackoff": seconds(max_backoff),
                "maxDoublings": 16,
            },
        })
    }

    /// The dead-letter topic for a message that failed in this delivery, if it must go there.
    pub fn dead_letter_topic(&self, delivery: u32) -> Option<&str> {
        // Zero leaves the number to the service.
        let max = self.subscription.max_retries.filter(|max| *max != 0);
        self.subscription
            .dead_letter_topic
            .as_deref()
            .filter(|_| delivery >= max.unwrap_or(MAX_DELIVERIES))
    }
}

/// The full name of a topic; a short name is in this project.
pub(crate) fn full_topic<'a>(name: &'a str, project: &str) -> Cow<'a, str> {
    pubsub_path(project, "topics", name)
}

/// A queue's id for the name of a subscription or a job, which may be too long for an id or contain invalid characters.
///
/// An id for such a name begins with a digit, which a name never does.
pub(crate) fn queue_id(name: &str) -> String {
    if name.len() <= 100 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        name.to_owned()
    } else {
        format!(
            "0{}",
            Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).simple()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::names;

    #[test]
    fn every_subscription_has_a_queue_of_its_own() {
        let long = "s".repeat(255);
        let names = [
            "shop--Auditor",
            "shop__Auditor",
            "shop.Auditor",
            "projects/p/subscriptions/shop--Auditor",
            &long,
        ];

        let mut ids: Vec<_> = names.into_iter().map(queue_id).collect();

        assert_eq!(ids[0], "shop--Auditor");
        assert!(ids.iter().all(|id| names::validate_queue(id).is_ok()), "{ids:?}");
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 5);
    }

    #[test]
    fn a_short_topic_is_the_one_of_this_project() {
        assert_eq!(full_topic("orders", "p"), "projects/p/topics/orders");
        assert_eq!(
            full_topic("projects/q/topics/orders", "p"),
            "projects/q/topics/orders"
        );
    }
}
