//! The message that Pub/Sub publishes to a dead-letter topic.

use super::Push;
use crate::base::time::rfc3339_millis;
use crate::base::wire::publication::Publication;

impl Push {
    /// The message for the dead-letter topic, after this many deliveries. The service adds these attributes and keeps the others.
    ///
    /// Source: <https://cloud.google.com/pubsub/docs/handling-failures#track-delivery-attempts>.
    pub fn into_dead_letter(self, topic: &str, deliveries: u32) -> Publication {
        let path: Vec<_> = self.subscription.split('/').collect();
        let (project, subscription) = match path[..] {
            ["projects", project, "subscriptions", name] => (project, name),
            _ => ("", self.subscription.as_str()),
        };
        let mut attributes = self.attributes;
        let time = self
            .publish_time
            .map(|time| rfc3339_millis(time).replace('Z', "+00:00"));
        attributes.extend(
            [
                ("DeliveryCount", deliveries.to_string()),
                ("Subscription", subscription.to_owned()),
                ("SubscriptionProject", project.to_owned()),
                ("TopicPublishTime", time.unwrap_or_default()),
            ]
            .map(|(name, value)| (format!("CloudPubSubDeadLetterSource{name}"), value)),
        );
        Publication {
            topic: topic.to_owned().into(),
            data: self.data,
            attributes,
            ordering_key: self.ordering_key,
        }
    }
}
