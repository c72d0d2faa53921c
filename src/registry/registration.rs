//! What `#[task]` declares of a task.

use std::any::TypeId;
use std::fmt;
use std::time::Duration;

use crate::base::States;
use crate::registry::handler::BoundTask;
use crate::registry::schedule::Periodic;
use crate::registry::subscription::SubscriptionOptions;
use crate::registry::topic::Topic;
use crate::registry::unique::UniqueOptions;

/// What a registration is for.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Task,
    Publisher { topic: fn() -> Topic },
    Subscriber(SubscriptionOptions),
}

/// What `#[task]` writes down of a task.
#[derive(Clone, Copy)]
pub struct Registration {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) queue: Option<&'static str>,
    pub(crate) timeout: Option<Duration>,
    /// Whether a delivery that is repeated is to run once.
    pub(crate) idempotent: bool,
    pub(crate) max_attempts: Option<u32>,
    /// Where the task is recorded to when it is given up; that of a subscription is among its options.
    pub(crate) dead_letter_topic: Option<fn() -> Topic>,
    pub(crate) location: &'static str,
    pub(crate) kind: Kind,
    pub(crate) periodic: Option<Periodic>,
    /// What makes two tasks the same one, where anything does.
    pub(crate) unique: Option<&'static UniqueOptions>,
    pub(crate) type_id: fn() -> TypeId,
    pub(crate) bind: fn(&States) -> Result<BoundTask, Vec<&'static str>>,
}

impl Registration {
    /// A registration under this name, of something defined at `location` (`file:line`).
    pub(crate) const fn new<T: 'static>(
        name: &'static str,
        location: &'static str,
        kind: Kind,
        bind: fn(&States) -> Result<BoundTask, Vec<&'static str>>,
    ) -> Self {
        Self {
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
        }
    }

    /// The options of the subscription, where this is a subscriber.
    pub(crate) fn subscriber_options(&self) -> Option<&SubscriptionOptions> {
        match &self.kind {
            Kind::Subscriber(options) => Some(options),
            Kind::Task | Kind::Publisher { .. } => None,
        }
    }

    /// Whether this is a publisher.
    #[cfg(feature = "google")]
    pub(crate) fn is_publisher(&self) -> bool {
        matches!(self.kind, Kind::Publisher { .. })
    }

    /// Sets the names that the task answers to besides its own.
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Sets the queue.
    pub const fn queue(mut self, queue: &'static str) -> Self {
        self.queue = Some(queue);
        self
    }

    /// Sets how long one attempt may take.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets whether a delivery that is repeated runs once.
    pub const fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = idempotent;
        self
    }

    /// Sets how often the task is tried altogether.
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Sets where a task is recorded to that is given up, and where messages go that were delivered too often.
    pub const fn dead_letter_topic(mut self, topic: fn() -> Topic) -> Self {
        match &mut self.kind {
            Kind::Subscriber(options) => options.dead_letter_topic = Some(topic),
            Kind::Task | Kind::Publisher { .. } => self.dead_letter_topic = Some(topic),
        }
        self
    }
}

impl Registration {
    /// Adds a schedule.
    pub(crate) const fn scheduled(mut self, periodic: Periodic) -> Self {
        self.periodic = Some(periodic);
        self
    }

    /// Makes tasks that are the same one by these options get one id.
    pub const fn unique(mut self, options: &'static UniqueOptions) -> Self {
        self.unique = Some(options);
        self
    }

    /// Sets whether the tasks of the type are all the same one.
    pub const fn only_once(mut self, only_once: bool) -> Self {
        self.unique = if only_once {
            Some(const { &UniqueOptions::only_once() })
        } else {
            None
        };
        self
    }
}

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident($option:ident: $type:ty) => $($field:ident = $value:expr),+;)*) => {
        impl Registration {
            $($(#[$doc])*
            pub const fn $name(mut self, $option: $type) -> Self {
                if let Kind::Subscriber(options) = &mut self.kind {
                    $(options.$field = $value;)+
                }
                self
            })*
        }
    };
}

options! {
    /// Sets which messages are wanted.
    filter(filter: &'static str) => filter = Some(filter);
    /// Sets how often a message is delivered before it goes to the dead-letter topic.
    max_retries(retries: u32) => max_retries = Some(retries);
    /// Sets the shortest pause before a message is delivered again.
    min_backoff(backoff: Duration) => min_backoff = Some(backoff);
    /// Sets the longest pause before a message is delivered again.
    max_backoff(backoff: Duration) => max_backoff = Some(backoff);
    /// Sets how long a subscription without activity is kept.
    expiration(expiration: Duration) => expiration = Some(expiration);
    /// Sets how long a push may take.
    ack_deadline(deadline: Duration) => ack_deadline = Some(deadline);
    /// Sets the base name of the subscription that keeps dead letters.
    dead_letter_subscription(name: &'static str) => dead_letter_subscription = Some(name);
    /// Sets whether pushes carry a signed token.
    oidc(oidc: bool) => oidc = oidc;
    /// Sets the base name of the subscription.
    subscription(name: &'static str) => subscription = Some(name), absolute = false;
    /// Sets the name of the subscription, without a prefix.
    absolute_subscription(name: &'static str) => subscription = Some(name), absolute = true;
    /// Sets where messages are pushed to.
    url(url: &'static str) => url = Some(url);
    /// Sets whether messages of one ordering key are delivered one after the other.
    ordering(ordering: bool) => ordering = ordering;
    /// Sets how long a message that is not acknowledged is kept.
    retention(retention: Duration) => retention = Some(retention);
    /// Sets whether a message is forwarded to a task of Cloud Tasks.
    use_cloud_tasks(forward: bool) => use_cloud_tasks = forward;
    /// Sets whether a body that says nothing of itself is the content.
    bare_body(bare: bool) => bare_body = bare;
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("name", &self.name)
            .field("location", &self.location)
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

/// Every task that was linked into this process.
pub(crate) fn linked() -> impl Iterator<Item = Registration> {
    inventory::iter::<Collected>.into_iter().map(|linked| linked.0)
}
