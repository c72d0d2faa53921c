//! The registration of a task, as `#[task]` declares it.

use std::any::TypeId;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::base::{Config, Error, States};
use crate::registry::handler::BoundTask;
use crate::registry::schedule::Periodic;
use crate::registry::schema::{SchemaSource, no_schema};
use crate::registry::subscription::SubscriptionOptions;
use crate::registry::subscription_options::subscription_options;
use crate::registry::topic::Topic;
use crate::registry::unique::{UniqueOptions, Uniqueness};

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
    /// The service that runs it, if that is another one.
    pub service: Option<&'static str>,
    /// Whether it is registered only by hand.
    pub shared: bool,
    /// Whether it is the handler of a shared task.
    pub handled: bool,
    /// Reads arguments that somebody typed; `None` for a subscriber.
    pub read_arguments: Option<ReadArguments>,
    pub schema: SchemaSource,
}

/// Decodes arguments, and encodes them as a call does.
type ReadArguments = fn(&[u8]) -> Result<Arguments, String>;

/// The decoded arguments of a call.
pub(crate) struct Arguments {
    pub body: Bytes,
    pub unique: Result<Option<Box<Uniqueness>>, Error>,
}

impl Declared {
    /// The options of the subscription, if this is a subscriber.
    pub fn subscriber_options(&self) -> Option<&SubscriptionOptions> {
        match &self.kind {
            Kind::Subscriber(options) => Some(options),
            Kind::Task | Kind::Publisher { .. } => None,
        }
    }

    /// The URL of the task under one of its names.
    pub fn url(&self, name: &str, config: &Config) -> String {
        let service = self.service.and_then(|service| config.service(service));
        service.map_or_else(|| config.task_url(name), |service| service.task_url(name))
    }

    /// Whether requests for it are handled here.
    pub fn runs_here(&self) -> bool {
        self.service.is_none()
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
            service: None,
            shared: false,
            handled: false,
            read_arguments: None,
            schema: no_schema,
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

impl Registration {
    pub(crate) const fn arguments(mut self, read: ReadArguments) -> Self {
        self.0.read_arguments = Some(read);
        self
    }

    /// The registration of the handler of this task.
    pub(crate) const fn handled(
        mut self,
        location: &'static str,
        bind: fn(&States) -> Result<BoundTask, Vec<&'static str>>,
    ) -> Self {
        self.0.location = location;
        self.0.bind = bind;
        self.0.service = None;
        self.0.handled = true;
        self
    }

    /// Sets the service that runs the task.
    pub const fn service(mut self, service: &'static str) -> Self {
        self.0.service = Some(service);
        self
    }

    /// Leaves the registration to the builder.
    pub const fn shared(mut self, shared: bool) -> Self {
        self.0.shared = shared;
        self
    }

    /// Sets the schema of the arguments or the content.
    pub const fn schema(mut self, schema: SchemaSource) -> Self {
        self.0.schema = schema;
        self
    }
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
    let all = inventory::iter::<Collected>.into_iter();
    all.map(|linked| linked.0)
        .filter(|registration| !registration.0.shared)
}
