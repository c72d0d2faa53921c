//! The builder of a runtime, and its modes.

mod builder;
mod check;
mod configured;
#[cfg(feature = "local")]
mod embedded;
mod in_process;
#[cfg(not(feature = "local"))]
mod no_local;
mod services;
#[cfg(test)]
mod tests;
mod warm_up;
mod warnings;

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::UnsignedPushes;
use crate::backend::Services;
use crate::base::{Clock, Config, Error, States};
use crate::registry::queue_settings::QueueSettings;
use crate::registry::topic::Topic;
use crate::registry::topic_publisher::TopicPublisher;
use crate::registry::{Accounts, Registration, Role};
use crate::runtime::idempotency::{IdempotencyStore, MemoryStore};

pub use builder::RuntimeBuilder;
pub(crate) use check::Missing;
pub use configured::Configured;
#[cfg(feature = "local")]
pub use embedded::Embedded;
pub use in_process::InProcess;
pub(crate) use in_process::access_in_tests;

/// Cloud Tasks sends at most 1 MiB, including headers.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Pub/Sub pushes messages of up to 10 MB, in base64 and with their attributes.
const MAX_PUSH_BYTES: usize = 14 * 1024 * 1024;

/// How long a claim lasts unless it is renewed. Short, because the deliveries after the death of a process wait for its end.
const LEASE: Duration = Duration::from_secs(30);
/// How long a request waits at the concurrency limit.
const MAX_CONCURRENCY_WAIT: Duration = Duration::from_secs(10);

/// The mode of a builder, which decides where tasks go. This crate defines all modes.
pub trait Mode: Sized + Send {
    /// What `build()` returns: the runtime, and what the mode adds.
    type Built;

    /// Builds the runtime. No other crate can name its argument, which seals the trait.
    #[doc(hidden)]
    fn build(self, parts: Parts) -> impl Future<Output = Result<Self::Built, Error>> + Send;
}

/// A local engine that stops when this is dropped.
pub(super) type Engine = Arc<dyn Any + Send + Sync>;

/// What a builder has collected.
pub struct Parts {
    config: Config,
    /// What the log calls the backend.
    backend: &'static str,
    clock: Clock,
    services: Services,
    queues: Vec<QueueSettings>,
    idempotency: Option<Arc<dyn IdempotencyStore>>,
    /// The same store, if it is one in memory: it follows the runtime's clock.
    memory_store: Option<MemoryStore>,
    lease: Duration,
    dead_letter_topic: Option<Topic>,
    publishers: Vec<(Topic, TopicPublisher)>,
    states: States,
    registered: Vec<Registration>,
    role: Role,
    /// Whether requests to other services are signed as accounts that have to be named.
    accounts: Accounts,
    expected: BTreeSet<String>,
    unsigned_pushes: UnsignedPushes,
    max_concurrency: Option<usize>,
    max_concurrency_wait: Duration,
    max_body_bytes: usize,
    max_push_bytes: usize,
    engine: Option<Engine>,
    /// What may help if the runtime cannot be built.
    hint: Option<&'static str>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            config: Config::default(),
            backend: "of your own",
            clock: Clock::default(),
            services: Services::default(),
            queues: Vec::new(),
            idempotency: None,
            memory_store: None,
            lease: LEASE,
            dead_letter_topic: None,
            publishers: Vec::new(),
            states: States::default(),
            registered: Vec::new(),
            role: Role::default(),
            accounts: Accounts::Any,
            expected: BTreeSet::new(),
            unsigned_pushes: UnsignedPushes::None,
            max_concurrency: None,
            max_concurrency_wait: MAX_CONCURRENCY_WAIT,
            max_body_bytes: MAX_BODY_BYTES,
            max_push_bytes: MAX_PUSH_BYTES,
            engine: None,
            hint: None,
        }
    }
}

impl Parts {
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the runtime runs nothing.
    pub(crate) fn only_enqueues(&self) -> bool {
        self.role == Role::OnlyEnqueues
    }

    /// Sets what the log calls the backend.
    pub(crate) fn set_backend_name(&mut self, name: &'static str) {
        self.backend = name;
    }

    /// Makes the runtime go by this clock.
    pub(crate) fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// Replaces the settings.
    #[cfg(feature = "testing")]
    pub(crate) fn set_config(&mut self, config: Config) {
        self.config = config;
    }

    /// The settings of queues.
    #[cfg(feature = "testing")]
    pub(crate) fn queue_settings(&self) -> &[QueueSettings] {
        &self.queues
    }

    /// Adds a state.
    #[cfg(feature = "testing")]
    pub(crate) fn add_state<S: Send + Sync + 'static>(&mut self, state: S) {
        self.states.insert(state);
    }

    /// Puts something around the idempotency store. One in memory goes by this clock.
    #[cfg(feature = "testing")]
    pub(crate) fn wrap_store(
        &mut self,
        clock: &Clock,
        wrap: impl FnOnce(Arc<dyn IdempotencyStore>) -> Arc<dyn IdempotencyStore>,
    ) {
        if let Some(memory) = &self.memory_store {
            memory.follow(clock);
        }
        self.idempotency = self.idempotency.take().map(wrap);
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
