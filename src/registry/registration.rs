//! The registration of a task, as `#[task]` declares it.

use std::any::TypeId;
use std::fmt;
use std::time::Duration;

use crate::base::States;
use crate::registry::handler::BoundTask;
use crate::registry::schedule::Periodic;
use crate::registry::subscription::SubscriptionOptions;
use crate::registry::subscription_options::subscription_options;
use crate::registry::topic::Topic;
use crate::registry::unique::UniqueOptions;

/// The kind of a registration.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Task,
    Publisher { topic: fn() -> Topic },
    Subscriber(SubscriptionOptions),
}

/// The registration of a task, written by `#[task]`.
#[derive(Clone, Copy)]
pub struct Registration(Declared);

/// What `#[task]` declares of a task.
#[derive(Clone, Copy)]
pub(crate) struct Declared {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub queue: Option<&'static str>,
    pub timeout: Option<Duration>,
    /// Whether a repeated delivery runs only once.
    pub idempotent: bool,
    pub max_attempts: Option<u32>,
    /// Where a dead task is recorded. For a subscription it is one of the options.
    pub dead_letter_topic: Option<fn() -> Topic>,
    pub location: &'static str,
    pub kind: Kind,
    pub periodic: Option<Periodic>,
    /// Which tasks count as the same, if the task is unique.
    pub unique: Option<&'static UniqueOptions>,
    pub type_id: fn() -> TypeId,
    pub bind: fn(&States) -> Result<BoundTask, Vec<&'static str>>,
}

impl Declared {
    /// The options of the subscription, if this is a subscriber.
    pub fn subscriber_options(&self) -> Option<&SubscriptionOptions> {
        match &self.kind {
            Kind::Subscriber(options) => Some(options),
            Kind::Task | Kind::Publisher { .. } => None,
        }
    }

    /// Whether this is a publisher.
    #[cfg(feature = "google")]
    pub fn is_publisher(&self) -> bool {
        matches!(self.kind, Kind::Publisher { .. })
    }
}

impl Registration {
    /// A registration with this name, defined at `location` (`file:line`).
    pub(crate) const fn new<T: 'static>(
        name: &'static str,
        location: &'static str,
        kind: Kind,
        bind: fn(&States) -> Result<BoundTask, Vec<&'static str>>,
    ) -> Self {
        Self(Declared {
            name,
            aliases: &[],
            queue: None,
            timeout: None,
            idempotent: false,
            max_attempts: None,
            dead_letter_topic: None,
            location,
            kind,
            periodic: None,
            unique: None,
            type_id: TypeId::of::<T>,
            bind,
        })
    }

    /// What was declared.
    pub(crate) const fn declared(&self) -> &Declared {
        &self.0
    }

    /// Sets further names that the task answers to.
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.0.aliases = aliases;
        self
    }

    /// Sets the queue.
    pub const fn queue(mut self, queue: &'static str) -> Self {
        self.0.queue = Some(queue);
        self
    }

    /// Sets the timeout of one attempt.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = Some(timeout);
        self
    }

    /// Sets whether a repeated delivery runs only once.
    pub const fn idempotent(mut self, idempotent: bool) -> Self {
        self.0.idempotent = idempotent;
        self
    }

    /// Sets the maximum number of attempts.
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.0.max_attempts = Some(attempts);
        self
    }

    /// Sets where dead tasks are recorded, and where undeliverable messages go.
    pub const fn dead_letter_topic(mut self, topic: fn() -> Topic) -> Self {
        match &mut self.0.kind {
            Kind::Subscriber(options) => options.dead_letter_topic = Some(topic),
            Kind::Task | Kind::Publisher { .. } => self.0.dead_letter_topic = Some(topic),
        }
        self
    }
}

impl Registration {
    /// Sets the schedule.
    pub(crate) const fn scheduled(mut self, periodic: Periodic) -> Self {
        self.0.periodic = Some(periodic);
        self
    }

    /// Gives equal tasks the same id, by these options.
    pub const fn unique(mut self, options: &'static UniqueOptions) -> Self {
        self.0.unique = Some(options);
        self
    }

    /// Sets whether all tasks of the type are the same.
    pub const fn only_once(mut self, only_once: bool) -> Self {
        self.0.unique = if only_once {
            Some(const { &UniqueOptions::only_once() })
        } else {
            None
        };
        self
    }
}

/// A setter for each of the [`subscription_options`].
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $type:ty => $($field:ident).+, $check:expr, $default:expr;)*) => {
        impl Registration {
            $(
                $(#[$doc])*
                pub const fn $name(mut self, $name: $type) -> Self {
                    if let Kind::Subscriber(options) = &mut self.0.kind {
                        options.$name = Some($name);
                    }
                    self
                }
            )*
        }
    };
}

subscription_options!(setters);

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident($option:ident: $type:ty) => $($field:ident = $value:expr),+;)*) => {
        impl Registration {
            $($(#[$doc])*
            pub const fn $name(mut self, $option: $type) -> Self {
                if let Kind::Subscriber(options) = &mut self.0.kind {
                    $(options.$field = $value;)+
                }
                self
            })*
        }
    };
}

options! {
    /// Sets the filter.
    filter(filter: &'static str) => filter = Some(filter);
    /// Sets how often a message is delivered before it goes to the dead-letter topic.
    max_retries(retries: u32) => max_retries = Some(retries);
    /// Sets the base name of the subscription that keeps dead letters.
    dead_letter_subscription(name: &'static str) => dead_letter_subscription = Some(name);
    /// Sets whether pushes carry a signed token.
    oidc(oidc: bool) => oidc = oidc;
    /// Sets the base name of the subscription.
    subscription(name: &'static str) => subscription = Some(name), absolute = false;
    /// Sets the name of the subscription, without a prefix.
    absolute_subscription(name: &'static str) => subscription = Some(name), absolute = true;
    /// Sets the URL that messages are pushed to.
    url(url: &'static str) => url = Some(url);
    /// Sets whether messages with the same ordering key are delivered in order.
    ordering(ordering: bool) => ordering = ordering;
    /// Sets whether a message is forwarded to a task of Cloud Tasks.
    use_cloud_tasks(forward: bool) => use_cloud_tasks = forward;
    /// Sets whether a body without any metadata is the content.
    bare_body(bare: bool) => bare_body = bare;
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("name", &self.0.name)
            .field("location", &self.0.location)
            .finish_non_exhaustive()
    }
}

/// A registration that the linker collects.
#[derive(Debug)]
pub struct Collected(Registration);

impl Collected {
    /// Wraps a registration.
    pub const fn new(registration: Registration) -> Self {
        Self(registration)
    }
}

inventory::collect!(Collected);

/// Every task that was linked into this program.
pub(crate) fn linked() -> impl Iterator<Item = Registration> {
    inventory::iter::<Collected>.into_iter().map(|linked| linked.0)
}
