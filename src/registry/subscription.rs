//! The desired state of a subscription, from its subscriber and the settings.

use std::time::Duration;

use crate::base::{Config, names};
use crate::registry::filter::Filter;
use crate::registry::topic::Topic;

/// The options of a subscriber for its subscription. Options that are not set come from the settings, or are left to
/// the service.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct SubscriptionOptions {
    pub(crate) topic: fn() -> Topic,
    pub(crate) filter: Option<&'static str>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) min_backoff: Option<Duration>,
    pub(crate) max_backoff: Option<Duration>,
    pub(crate) expiration: Option<Duration>,
    pub(crate) ack_deadline: Option<Duration>,
    pub(crate) dead_letter_topic: Option<fn() -> Topic>,
    pub(crate) dead_letter_subscription: Option<&'static str>,
    pub(crate) oidc: bool,
    pub(crate) subscription: Option<&'static str>,
    pub(crate) absolute: bool,
    pub(crate) url: Option<&'static str>,
    pub(crate) ordering: bool,
    pub(crate) retention: Option<Duration>,
    pub(crate) use_cloud_tasks: bool,
    pub(crate) bare_body: bool,
}

impl SubscriptionOptions {
    pub(crate) const fn new(topic: fn() -> Topic) -> Self {
        Self {
            topic,
            filter: None,
            max_retries: None,
            min_backoff: None,
            max_backoff: None,
            expiration: None,
            ack_deadline: None,
            dead_letter_topic: None,
            dead_letter_subscription: None,
            oidc: true,
            subscription: None,
            absolute: false,
            url: None,
            ordering: false,
            retention: None,
            use_cloud_tasks: false,
            bare_body: false,
        }
    }
}

/// The desired state of a push subscription, with final names and the defaults of the settings.
///
/// `None` leaves a setting to the service.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Subscription {
    /// The subscriber's name.
    pub task: &'static str,
    /// The subscription's name in its project.
    pub name: String,
    /// The topic's name in its project, or its full path.
    pub topic: String,
    /// The URL that messages are pushed to.
    pub url: String,
    /// Whether pushes carry a signed token.
    pub oidc: bool,
    /// Which messages are delivered.
    pub filter: Option<Filter>,
    /// How often a message is delivered before it goes to the dead-letter topic.
    pub max_retries: Option<u32>,
    /// The shortest backoff before a message is redelivered.
    pub min_backoff: Option<Duration>,
    /// The longest backoff before a message is redelivered.
    pub max_backoff: Option<Duration>,
    /// How long the subscription is kept without activity; [`Duration::MAX`] means forever.
    pub expiration: Option<Duration>,
    /// The deadline of a push.
    pub ack_deadline: Option<Duration>,
    /// Where undeliverable messages go: the topic's name, or its full path.
    pub dead_letter_topic: Option<String>,
    /// The name of the subscription that keeps dead letters.
    pub dead_letter_subscription: Option<String>,
    /// Whether messages with the same ordering key are delivered in order.
    pub ordering: bool,
    /// How long an unacknowledged message is kept.
    pub retention: Option<Duration>,
    /// Whether a body without any metadata is the content.
    pub bare_body: bool,
}

impl Subscription {
    /// Resolves the subscription of a subscriber, and collects every error.
    pub(crate) fn new(
        task: &'static str,
        location: &str,
        options: &SubscriptionOptions,
        config: &Config,
    ) -> (Self, Vec<String>) {
        let mut mistakes = Vec::new();
        let filter = options.filter.and_then(|text| {
            Filter::parse(text)
                .map_err(|error| mistakes.push(format!("its filter is not accepted: {error}")))
                .ok()
        });
        let name = options.subscription.unwrap_or(task);
        let dead_letter_topic = options.dead_letter_topic.map(|topic| topic());
        let dead_letter_subscription = dead_letter_topic.as_ref().map(|topic| {
            options.dead_letter_subscription.map_or_else(
                || names::last_segment(&topic.name(config)).to_owned(),
                |name| config.prefixed(name),
            )
        });
        let subscription = Self {
            task,
            name: if options.absolute {
                name.to_owned()
            } else {
                config.prefixed(name)
            },
            topic: (options.topic)().name(config),
            url: options.url.map_or_else(
                || {
                    format!(
                        "{}/subscriptions/{}",
                        config.base_url(),
                        names::encode_segment(task)
                    )
                },
                str::to_owned,
            ),
            oidc: options.oidc,
            filter,
            max_retries: options.max_retries.or(config.subscriber_max_retries),
            min_backoff: options.min_backoff.or(config.subscriber_min_backoff),
            max_backoff: options.max_backoff.or(config.subscriber_max_backoff),
            expiration: options.expiration.or(config.subscriber_expiration),
            ack_deadline: options.ack_deadline,
            dead_letter_topic: dead_letter_topic.map(|topic| topic.name(config)),
            dead_letter_subscription,
            ordering: options.ordering,
            retention: options.retention,
            bare_body: options.bare_body,
        };
        mistakes.extend(subscription.mistakes());
        let mistakes = mistakes
            .into_iter()
            .map(|mistake| format!("the subscriber {task} ({location}): {mistake}"))
            .collect();
        (subscription, mistakes)
    }

    fn mistakes(&self) -> Vec<String> {
        let seconds = Duration::from_secs;
        let day = seconds(24 * 60 * 60);
        let mut mistakes: Vec<String> = [
            names::pubsub_mistake("subscription", &self.name),
            names::pubsub_mistake("topic", &self.topic),
            self.dead_letter_topic
                .as_ref()
                .and_then(|name| names::pubsub_mistake("dead-letter topic", name)),
            self.dead_letter_subscription
                .as_ref()
                .and_then(|name| names::pubsub_mistake("dead-letter subscription", name)),
        ]
        .into_iter()
        .flatten()
        .collect();
        // Without a dead-letter topic deliveries are not counted. Zero leaves the number to the service.
        if let Some(retries) = self
            .max_retries
            .filter(|retries| *retries != 0 && !(5..=100).contains(retries))
            && self.dead_letter_topic.is_some()
        {
            mistakes.push(format!(
                "max_retries is {retries}; with a dead-letter topic Pub/Sub accepts 5 to 100"
            ));
        }
        let ranges = [
            ("min_backoff", self.min_backoff, seconds(0), seconds(600)),
            ("max_backoff", self.max_backoff, seconds(0), seconds(600)),
            ("ack_deadline", self.ack_deadline, seconds(10), seconds(600)),
            ("expiration", self.expiration, day, Duration::MAX),
            ("retention", self.retention, seconds(600), day * 31),
        ];
        for (option, value, min, max) in ranges {
            if let Some(value) = value.filter(|value| !(min..=max).contains(value)) {
                mistakes.push(format!(
                    "{option} is {value:?}; Pub/Sub accepts {min:?} to {max:?}"
                ));
            }
        }
        if let (Some(min), Some(max)) = (self.min_backoff, self.max_backoff)
            && min > max
        {
            mistakes.push(format!(
                "min_backoff is {min:?}, which is more than max_backoff, {max:?}"
            ));
        }
        if self.dead_letter_topic.as_ref() == Some(&self.topic) {
            mistakes.push("its dead letters would go to the topic that it reads".to_owned());
        }
        mistakes
    }

    /// Whether a message with these attributes is delivered.
    pub(crate) fn wants(&self, attributes: &crate::base::Attributes) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| filter.matches(|key| attributes.get(key).map(String::as_str)))
    }
}
