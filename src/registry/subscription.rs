//! The desired state of a subscription, from its subscriber and the settings.

use std::time::Duration;

use http::Uri;

use crate::base::{Config, Invalid, names};
use crate::registry::subscription_options::{self as checks, subscription_options};
use crate::registry::topic::Topic;
use cloud_tasks_rules::filter::Filter;
use cloud_tasks_rules::limits::{self, Numbers};

/// Declares the structs that have a field for each of the [`subscription_options`].
macro_rules! declare {
    ($($(#[$doc:meta])* $name:ident: $type:ty => $($field:ident).+, $check:expr, $default:expr;)*) => {
        /// The options of a subscriber for its subscription. Options that are not set come from the settings, or are left to
        /// the service.
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct SubscriptionOptions {
            pub topic: fn() -> Topic,
            pub filter: Option<&'static str>,
            pub max_retries: Option<u32>,
            pub dead_letter_topic: Option<fn() -> Topic>,
            pub dead_letter_subscription: Option<&'static str>,
            pub oidc: bool,
            pub subscription: Option<&'static str>,
            pub absolute: bool,
            pub url: Option<&'static str>,
            pub ordering: bool,
            pub use_cloud_tasks: bool,
            pub bare_body: bool,
            $($(#[$doc])* pub $name: Option<$type>,)*
        }

        impl SubscriptionOptions {
            pub const fn new(topic: fn() -> Topic) -> Self {
                Self {
                    topic,
                    filter: None,
                    max_retries: None,
                    dead_letter_topic: None,
                    dead_letter_subscription: None,
                    oidc: true,
                    subscription: None,
                    absolute: false,
                    url: None,
                    ordering: false,
                    use_cloud_tasks: false,
                    bare_body: false,
                    $($name: None,)*
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
            /// Where undeliverable messages go: the topic's name, or its full path.
            pub dead_letter_topic: Option<String>,
            /// The name of the subscription that keeps dead letters.
            pub dead_letter_subscription: Option<String>,
            /// Whether messages with the same ordering key are delivered in order.
            pub ordering: bool,
            /// Whether a body without any metadata is the content.
            pub bare_body: bool,
            $($(#[$doc])* pub $name: Option<$type>,)*
        }

        /// A subscription with these options alone, from the subscriber or the settings.
        fn of_options(options: &SubscriptionOptions, config: &Config) -> Subscription {
            $(
                let default: fn(&Config) -> Option<$type> = $default;
                let $name = options.$name.or_else(|| default(config));
            )*
            Subscription {
                task: "",
                name: String::new(),
                topic: String::new(),
                url: String::new(),
                oidc: options.oidc,
                filter: None,
                max_retries: None,
                dead_letter_topic: None,
                dead_letter_subscription: None,
                ordering: options.ordering,
                bare_body: options.bare_body,
                $($name,)*
            }
        }

        /// The errors that Pub/Sub would answer these options with.
        fn errors_of_options(subscription: &Subscription) -> impl Iterator<Item = Invalid> {
            let checked = [
                $(subscription.$name.as_ref().map(|value| ($check)(stringify!($name), value)),)*
            ];
            checked.into_iter().flatten().filter_map(Result::err)
        }
    };
}

subscription_options!(declare);

/// The deadline of a push if the subscription sets none. Source: `google.pubsub.v1.Subscription.ack_deadline_seconds`.
pub(crate) const DEFAULT_ACK_DEADLINE: Duration = Duration::from_secs(10);

impl SubscriptionOptions {
    /// How long Pub/Sub waits for the response to a push.
    pub fn push_deadline(&self) -> Duration {
        self.ack_deadline.unwrap_or(DEFAULT_ACK_DEADLINE)
    }

    /// Validates the number of deliveries where none are counted. A number of the settings holds for all subscribers.
    fn validate_max_retries(&self) -> Result<(), Invalid> {
        let Numbers { min, max } = limits::DELIVERIES;
        let refused = self.max_retries.filter(|retries| !(min..=max).contains(retries));
        refused
            .filter(|_| self.dead_letter_topic.is_none())
            .map_or(Ok(()), |retries| {
                Err(Invalid::because(format!(
                    "max_retries is {retries}; Pub/Sub accepts {min} to {max}"
                )))
            })
    }

    /// Validates the timeout of the subscriber. One that forwards runs in a task, which has no such deadline.
    pub fn validate_timeout(&self, timeout: Duration) -> Result<(), Invalid> {
        let deadline = self.push_deadline();
        if self.use_cloud_tasks || timeout <= deadline {
            return Ok(());
        }
        let whose = if self.ack_deadline.is_some() {
            "its `ack_deadline`"
        } else {
            "the default `ack_deadline`"
        };
        Err(Invalid::because(format!(
            "timeout is {timeout:?}, but Pub/Sub waits only {deadline:?} ({whose}) and then delivers the message again: set \
             `ack_deadline` to as much, at most 600s, or forward the message with `use_cloud_tasks`"
        )))
    }
}

impl Subscription {
    /// Resolves the subscription of a subscriber, and collects every error.
    pub(crate) fn new(
        task: &'static str,
        location: &str,
        options: &SubscriptionOptions,
        config: &Config,
    ) -> (Self, Vec<Invalid>) {
        let mut errors = Vec::new();
        let filter = options.filter.and_then(|text| {
            Filter::parse(text)
                .map_err(|error| errors.push(Invalid::new("its filter", error)))
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
            filter,
            max_retries: options.max_retries.or(config.subscriber_max_retries()),
            dead_letter_topic: dead_letter_topic.map(|topic| topic.name(config)),
            dead_letter_subscription,
            ..of_options(options, config)
        };
        errors.extend(subscription.errors());
        errors.extend(options.validate_max_retries().err());
        if options.ordering && options.use_cloud_tasks {
            errors.push(Invalid::because(
                "`ordering` and `use_cloud_tasks` exclude each other: Cloud Tasks runs the forwarded tasks at once and in any \
                 order; drop one of the two",
            ));
        }
        let errors = errors
            .into_iter()
            .map(|error| error.of(format_args!("the subscriber {task} ({location})")))
            .collect();
        (subscription, errors)
    }

    fn errors(&self) -> Vec<Invalid> {
        let names = [
            ("subscription", Some(&self.name)),
            ("topic", Some(&self.topic)),
            ("dead-letter topic", self.dead_letter_topic.as_ref()),
            ("dead-letter subscription", self.dead_letter_subscription.as_ref()),
        ];
        let mut errors: Vec<_> = names
            .into_iter()
            .filter_map(|(kind, name)| names::validate_pubsub_name(kind, name?).err())
            .collect();
        // Without a dead-letter topic deliveries are not counted. Zero leaves the number to the service.
        let Numbers { min, max } = limits::DEAD_LETTER_DELIVERIES;
        if let Some(retries) = self
            .max_retries
            .filter(|retries| *retries != 0 && !(min..=max).contains(retries))
            && self.dead_letter_topic.is_some()
        {
            errors.push(Invalid::because(format!(
                "max_retries is {retries}; with a dead-letter topic Pub/Sub accepts {min} to {max}"
            )));
        }
        errors.extend(errors_of_options(self));
        if let (Some(min), Some(max)) = (self.min_backoff, self.max_backoff)
            && min > max
        {
            errors.push(Invalid::because(format!(
                "min_backoff is {min:?}, which is more than max_backoff, {max:?}"
            )));
        }
        // The service fills in the default beside a `max_backoff`, and refuses the pair.
        if let (None, Some(max)) = (self.min_backoff, self.max_backoff)
            && max < checks::DEFAULT_MIN_BACKOFF
        {
            errors.push(Invalid::because(format!(
                "max_backoff is {max:?}, which is less than the default of min_backoff, {:?}: set min_backoff too",
                checks::DEFAULT_MIN_BACKOFF
            )));
        }
        let retention = self.retention.unwrap_or(checks::DEFAULT_RETENTION);
        if let Some(expiration) = self.expiration.filter(|expiration| *expiration < retention) {
            let default = if self.retention.is_none() {
                " by default"
            } else {
                ""
            };
            errors.push(Invalid::because(format!(
                "expiration is {expiration:?}, which is shorter than the retention, {retention:?}{default}: a subscription \
                 would expire before its messages; set a longer expiration, or a shorter `retention`"
            )));
        }
        if self.dead_letter_topic.as_ref() == Some(&self.topic) {
            errors.push(Invalid::because(
                "its dead letters would go to the topic that it reads",
            ));
        }
        errors
    }

    /// Checks that Google's Pub/Sub pushes to the URL.
    pub(crate) fn validate_push(&self) -> Result<(), Invalid> {
        let is_https = self.url.parse::<Uri>().is_ok_and(|url| {
            let host = url.host().unwrap_or_default();
            url.scheme_str() == Some("https") && !host.is_empty()
        });
        Invalid::unless(is_https, || {
            Invalid::because(format!(
                "the pushes to {} would go to {:?}, which Pub/Sub does not call: it pushes to https URLs only; set \
                 CLOUD_TASKS_ENDPOINT to the https URL of this service, or the `url` of the subscriber",
                self.task, self.url
            ))
        })
    }

    /// Whether a message with these attributes is delivered.
    pub(crate) fn wants(&self, attributes: &crate::base::Attributes) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| filter.matches(|key| attributes.get(key).map(String::as_str)))
    }
}
