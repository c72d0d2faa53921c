//! What a runtime is put together from, and everything that can be wrong with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::HeaderName;

use crate::auth::Access;
use crate::backend::Backend;
#[cfg(feature = "google")]
use crate::backend::dead_letter_store::DeadLetterStore;
#[cfg(feature = "google")]
use crate::backend::google::{PubSubAccess, PubSubDeadLetters, QueueAccess, SchedulerAccess};
use crate::backend::queue_admin::QueueOperations;
use crate::base::clock::Clock;
use crate::base::config::Config;
use crate::base::error::{Error, ErrorKind};
use crate::base::names;
use crate::base::state::States;
use crate::registry::dead_letter::DeadLetters;
use crate::registry::queue_settings::QueueSettings;
use crate::registry::topic::Topic;
use crate::registry::{self, Registration, Registry};
use crate::runtime::concurrency::Limit;
use crate::runtime::idempotency::IdempotencyStore;
use crate::runtime::{Inner, Runtime};

/// Cloud Tasks sends at most 1 MiB, headers and all.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Pub/Sub pushes messages of 10 MB, in base64 and with their attributes.
const MAX_PUSH_BYTES: usize = 14 * 1024 * 1024;

/// What a builder has collected.
pub(super) struct Parts {
    pub(super) config: Config,
    pub(super) clock: Clock,
    pub(super) operations: Option<Arc<dyn QueueOperations>>,
    /// How set-up reaches Pub/Sub.
    #[cfg(feature = "google")]
    pub(super) pubsub: Option<PubSubAccess>,
    #[cfg(feature = "google")]
    pub(super) queue_access: Option<QueueAccess>,
    #[cfg(feature = "google")]
    pub(super) scheduler: Option<SchedulerAccess>,
    /// How dead tasks are read, where it is not by Pub/Sub.
    #[cfg(feature = "google")]
    pub(super) dead_letter_store: Option<Arc<dyn DeadLetterStore>>,
    pub(super) queues: Vec<QueueSettings>,
    pub(super) idempotency: Option<Arc<dyn IdempotencyStore>>,
    pub(super) dead_letter_topic: Option<Topic>,
    pub(super) states: States,
    pub(super) registered: Vec<Registration>,
    pub(super) expected: BTreeSet<String>,
    pub(super) unsigned_pushes: bool,
    pub(super) max_concurrency: Option<usize>,
    pub(super) max_body_bytes: usize,
    pub(super) max_push_bytes: usize,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            config: Config::default(),
            clock: Clock::default(),
            operations: None,
            #[cfg(feature = "google")]
            pubsub: None,
            #[cfg(feature = "google")]
            queue_access: None,
            #[cfg(feature = "google")]
            scheduler: None,
            #[cfg(feature = "google")]
            dead_letter_store: None,
            queues: Vec::new(),
            idempotency: None,
            dead_letter_topic: None,
            states: States::default(),
            registered: Vec::new(),
            expected: BTreeSet::new(),
            unsigned_pushes: false,
            max_concurrency: None,
            max_body_bytes: MAX_BODY_BYTES,
            max_push_bytes: MAX_PUSH_BYTES,
        }
    }
}

impl Parts {
    /// Puts the runtime together, or names everything that is wrong.
    pub(super) fn finish(
        self,
        backend: Option<Arc<dyn Backend>>,
        access: Access,
        strict: bool,
        mut mistakes: Vec<String>,
    ) -> Result<Runtime, Error> {
        mistakes.extend(self.config.mistakes());
        mistakes.extend(self.queues.iter().flat_map(QueueSettings::mistakes));
        mistakes.extend(
            names::queue_mistake(self.config.default_queue())
                .map(|mistake| format!("{mistake} (the default queue is the application's name)")),
        );
        // The linker's order is no order: the same mistakes must read the same in every build.
        let mut registrations: Vec<_> = registry::linked()
            .chain(self.registered.iter().copied())
            .collect();
        registrations.sort_by_key(|registration| (registration.name, registration.location));
        let (registry, found) = Registry::new(registrations, &self.states, &self.config);
        mistakes.extend(found);
        mistakes.extend(self.hooks_out_of_reach(&registry));
        let (dead_letters, found) =
            DeadLetters::all(&registry, self.dead_letter_topic.as_ref(), &self.config);
        mistakes.extend(found);
        for name in &self.expected {
            if registry.by_name(name).is_none() {
                mistakes.push(format!(
                    "the task {name:?} is expected but not registered: its crate was not linked, or it has another name; \
                     `use the_crate as _;` in the binary makes the linker keep a crate"
                ));
            }
        }
        if strict {
            for (state, tasks) in registry.missing_states() {
                mistakes.push(format!(
                    "no state of type `{state}` was given, which {} needs: add `.state(..)`",
                    tasks.join(", ")
                ));
            }
        }
        if strict {
            mistakes.extend(self.unremembered(&registry));
        }
        if strict && !access.is_open() {
            mistakes.extend(self.refused_calls(&registry));
        }
        self.warn(&access);
        match backend {
            Some(backend) if mistakes.is_empty() => Ok(Runtime::new(Inner {
                propagated: self
                    .config
                    .propagated_headers
                    .iter()
                    .filter_map(|name| name.parse::<HeaderName>().ok())
                    .collect(),
                base_path: self.config.base_path(),
                config: self.config,
                clock: self.clock,
                registry,
                backend,
                operations: self.operations,
                #[cfg(feature = "google")]
                dead_letter_store: self.dead_letter_store.or_else(|| {
                    let keeper = PubSubDeadLetters::new(self.pubsub.clone()?);
                    Some(Arc::new(keeper))
                }),
                #[cfg(feature = "google")]
                pubsub: self.pubsub,
                #[cfg(feature = "google")]
                queue_access: self.queue_access,
                #[cfg(feature = "google")]
                scheduler: self.scheduler,
                queue_attempts: self
                    .queues
                    .iter()
                    .filter_map(|queue| Some((queue.name.clone(), queue.attempts()?)))
                    .collect(),
                #[cfg(feature = "google")]
                queues: self.queues,
                idempotency: self.idempotency,
                dead_letter_topic: self.dead_letter_topic,
                dead_letters,
                limit: self.max_concurrency.map(Limit::new),
                access: access.with_unsigned_pushes(self.unsigned_pushes),
                max_body_bytes: self.max_body_bytes,
                max_push_bytes: self.max_push_bytes,
            })),
            _ => Err(Error::new(ErrorKind::Build, list(&mistakes))),
        }
    }
}

impl Parts {
    /// Tasks that their queues give up before they do so themselves.
    fn hooks_out_of_reach(&self, registry: &Registry) -> Vec<String> {
        let mut mistakes = Vec::new();
        for registration in registry.registrations() {
            let queue = registration.queue.unwrap_or(self.config.default_queue());
            let settings = self.queues.iter().find(|settings| settings.name == queue);
            let most = settings.and_then(QueueSettings::attempts);
            if let (Some(own), Some(most)) = (registration.max_attempts, most)
                && own > most
            {
                mistakes.push(format!(
                    "the task {} says max_attempts = {own}, which it never reaches: its queue {queue:?} gives up after {most}; \
                     raise that one, or lower this ({})",
                    registration.name, registration.location
                ));
            }
        }
        mistakes
    }

    /// Calls of our own that show no token, and would be refused for it.
    fn refused_calls(&self, registry: &Registry) -> Vec<String> {
        let pushes = registry
            .subscriptions()
            .iter()
            .filter(|subscription| !subscription.oidc && !self.unsigned_pushes)
            .map(|subscription| {
                format!(
                    "the pushes to {} carry no token, since it says `oidc = false`, and would all be refused: take that \
                     away, or take messages from anybody with `.allow_unsigned_pushes()`",
                    subscription.task
                )
            });
        let schedules = registry
            .schedules()
            .iter()
            .filter(|schedule| !schedule.oidc)
            .map(|schedule| {
                format!(
                    "the scheduled requests to {} carry no token, since it says `oidc = false`, and would all be refused: \
                     take that away",
                    schedule.task
                )
            });
        pushes.chain(schedules).collect()
    }

    /// Tasks that are to run once, where nothing remembers what ran.
    fn unremembered(&self, registry: &Registry) -> Option<String> {
        let tasks = registry.idempotent();
        (self.idempotency.is_none() && !tasks.is_empty()).then(|| {
            let verb = if tasks.len() == 1 { "says" } else { "say" };
            format!(
                "{} {verb} `idempotent`, and no store was given that remembers what ran: add `.idempotency(..)`",
                tasks.join(", ")
            )
        })
    }

    /// Says which doors are open, and which one may be missed.
    fn warn(&self, access: &Access) {
        if self.unsigned_pushes {
            tracing::warn!(
                "pushes are not verified: `allow_unsigned_pushes()` takes messages from everybody"
            );
        } else if self.config.pubsub_emulator_host.is_some() && !access.is_open() {
            tracing::warn!(
                "the Pub/Sub emulator of PUBSUB_EMULATOR_HOST sends no token, so its pushes are refused; \
                 `allow_unsigned_pushes()` takes them"
            );
        }
    }
}

/// All mistakes in one text.
pub(super) fn list(mistakes: &[String]) -> String {
    match mistakes {
        [mistake] => format!("the runtime was not built: {mistake}"),
        _ => format!(
            "the runtime was not built, for {} reasons:\n- {}",
            mistakes.len(),
            mistakes.join("\n- ")
        ),
    }
}
