//! Validating the parts of a runtime and building it.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use crate::auth::{Access, UnsignedPushes};
use crate::backend::{Connect, Connected, Link};
use crate::base::text::safe;
use crate::base::{Error, ErrorKind, Invalid, names};
use crate::registry::dead_letter::DeadLetters;
use crate::registry::queue_settings::QueueSettings;
use crate::registry::{self, Kind, Registry};
use crate::runtime::builder::Parts;
use crate::runtime::builder::services::with_test_services;
use crate::runtime::concurrency::Limit;
use crate::runtime::idempotency::MemoryStore;
use crate::runtime::spawned::Spawned;
use crate::runtime::{Inner, Requests, Runtime};

/// How to handle a missing state or store that a task needs.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Missing {
    /// The build fails.
    Fails,
    /// The task fails when it runs: a test links more tasks than it needs.
    Allowed,
}

impl Parts {
    /// Builds the runtime, or returns every error.
    ///
    /// Without a `connect` there must be an error already.
    pub(crate) fn finish(
        mut self,
        connect: Option<Connect>,
        access: Access,
        missing: Missing,
        mut errors: Vec<Invalid>,
    ) -> Result<Runtime, Error> {
        errors.extend(self.config.errors());
        errors.extend(self.queues.iter().flat_map(QueueSettings::errors));
        if let Err(error) = names::validate_queue(self.config.default_queue()) {
            errors.push(error.at("the default queue is the application's name"));
        }
        // The linker's order is arbitrary: the same errors must read the same in every build.
        let mut registrations: Vec<_> = registry::linked()
            .chain(self.registered.iter().copied())
            .collect();
        // A handler comes before the declaration of its task, which it replaces.
        registrations.sort_by_key(|registration| {
            let declared = registration.declared();
            (declared.name, !declared.runs_here(), declared.location)
        });
        let (registry, found) = Registry::new(registrations, &self.states, &self.config, self.role);
        errors.extend(found);
        errors.extend(self.hooks_out_of_reach(&registry));
        let (dead_letters, found) =
            DeadLetters::all(&registry, self.dead_letter_topic.as_ref(), &self.config);
        errors.extend(found);
        for (topic, publisher) in &self.publishers {
            let topic = topic.name(&self.config);
            errors.extend(names::validate_pubsub_name("topic", &topic).err());
            errors.extend(publisher.validate(&topic).err());
        }
        for name in &self.expected {
            if registry.by_name(name).is_none() {
                errors.push(not_registered(name, &registry));
            }
        }
        if self.services.has_google_pubsub() {
            let subscriptions = registry.subscriptions().iter();
            errors.extend(subscriptions.filter_map(|subscription| subscription.validate_push().err()));
        }
        let services = registry.missing_services(&self.config, self.accounts);
        if missing == Missing::Fails {
            errors.extend(services);
        } else {
            self.config = with_test_services(self.config, &registry);
        }
        if missing == Missing::Fails && self.only_enqueues() {
            errors.extend(self.way_back(&registry));
        } else if missing == Missing::Fails {
            for (state, tasks) in registry.missing_states() {
                errors.push(Invalid::because(format!(
                    "no state of type `{state}` was given, which {} needs: add `.state(..)`",
                    tasks.join(", ")
                )));
            }
            errors.extend(self.unremembered(&registry));
            if !access.is_open() {
                errors.extend(self.refused_calls(&registry));
            }
        }
        match connect {
            Some(connect) if errors.is_empty() => {
                self.report(&access, &registry);
                if missing == Missing::Fails {
                    self.warn_of_short_retries(&registry);
                }
                Ok(self.into_runtime(connect, access, registry, dead_letters))
            }
            _ => {
                let hint = self.hint.map(|hint| format!("\n{hint}")).unwrap_or_default();
                Err(Error::new(ErrorKind::Build, list(&errors) + &hint))
            }
        }
    }

    fn into_runtime(
        self,
        connect: Connect,
        access: Access,
        registry: Registry,
        dead_letters: Vec<DeadLetters>,
    ) -> Runtime {
        if let Some(store) = &self.memory_store {
            store.follow(&self.clock);
        }
        let dead_tasks = MemoryStore::of_dead_tasks();
        dead_tasks.follow(&self.clock);
        let propagated = self.config.propagated_names();
        let inner = Arc::new_cyclic(|inner: &Weak<Inner>| {
            let Connected { backend, queues } = connect(Link::new(inner.clone(), self.clock.clone()));
            Inner {
                propagated,
                spawned: Spawned::default(),
                own_work: Spawned::default(),
                _engine: self.engine,
                requests: Requests {
                    base_path: self.config.base_path(),
                    access: access.with_unsigned_pushes(self.unsigned_pushes),
                    limit: self
                        .max_concurrency
                        .map(|max| Limit::new(max, self.max_concurrency_wait)),
                    max_body_bytes: self.max_body_bytes,
                    max_push_bytes: self.max_push_bytes,
                },
                config: self.config,
                clock: self.clock,
                registry,
                backend,
                role: self.role,
                queue_admin: queues,
                services: self.services,
                queues: self.queues,
                idempotency: self.idempotency,
                lease: self.lease,
                dead_tasks,
                dead_letter_topic: self.dead_letter_topic,
                publishers: self.publishers,
                dead_letters,
            }
        });
        Runtime { inner }
    }
}

impl Parts {
    /// Tasks whose queues give up earlier than their own limit.
    fn hooks_out_of_reach(&self, registry: &Registry) -> Vec<Invalid> {
        let mut errors = Vec::new();
        for registration in registry.registrations() {
            let queue = registration.queue.unwrap_or(self.config.default_queue());
            let settings = self.queues.iter().find(|settings| settings.name() == queue);
            let max = settings.and_then(QueueSettings::attempts);
            if let (Some(own), Some(max)) = (registration.max_attempts, max)
                && own > max
            {
                errors.push(Invalid::because(format!(
                    "the task {} has max_attempts = {own}, but its queue {queue:?} gives up after {max}: raise the queue's limit, or lower the task's ({})",
                    registration.name, registration.location
                )));
            }
        }
        errors
    }

    /// Requests of our own that have no token and would be rejected for that.
    fn refused_calls(&self, registry: &Registry) -> Vec<Invalid> {
        let pushes = registry
            .subscriptions()
            .iter()
            .filter(|subscription| !subscription.oidc && self.unsigned_pushes == UnsignedPushes::None)
            .map(|subscription| {
                Invalid::because(format!(
                    "the pushes to {} carry no token, since it says `oidc = false`, and would all be refused: take that \
                     away, or accept them from anybody with `.allow_unsigned_pushes()`",
                    subscription.task
                ))
            });
        let schedules = registry
            .schedules()
            .iter()
            .filter(|schedule| !schedule.oidc)
            .map(|schedule| {
                Invalid::because(format!(
                    "the scheduled requests to {} have no token because of `oidc = false`, and would all be rejected: remove it",
                    schedule.task
                ))
            });
        pushes.chain(schedules).collect()
    }

    /// Idempotent tasks without a store.
    fn unremembered(&self, registry: &Registry) -> Option<Invalid> {
        let tasks = registry.idempotent();
        (self.idempotency.is_none() && !tasks.is_empty()).then(|| {
            let verb = if tasks.len() == 1 { "is" } else { "are" };
            Invalid::because(format!(
                "{} {verb} `idempotent`, and there is no idempotency store: add `.idempotency(..)`",
                tasks.join(", ")
            ))
        })
    }

    /// Logs what is trusted and where tasks go, and warns of what is open.
    fn report(&self, access: &Access, registry: &Registry) {
        let config = &self.config;
        let (accounts, audiences) = access.trusted();
        let registrations = registry.registrations();
        let queues: BTreeSet<_> = registrations
            .iter()
            .filter(|registration| !matches!(registration.kind, Kind::Subscriber(_)))
            .map(|registration| registration.queue.unwrap_or(config.default_queue()))
            .collect();
        let tasks = registrations
            .iter()
            .filter(|registration| matches!(registration.kind, Kind::Task));
        tracing::info!(
            backend = self.backend,
            endpoint = &*safe(config.endpoint()),
            project = config.project().map(safe).as_deref(),
            location = config.location().map(safe).as_deref(),
            ?queues,
            tasks = tasks.count(),
            subscribers = registry.subscriptions().len(),
            schedules = registry.schedules().len(),
            callers = if access.is_open() { "anybody" } else { "verified" },
            ?accounts,
            ?audiences,
            "the runtime is built"
        );
        if registrations.is_empty() {
            tracing::warn!(
                "no task, publisher or subscriber is registered: the linker drops a crate that the binary never names, and \
                 `use my_tasks as _;` in the binary keeps it. See \
                 https://docs.rs/cloud-tasks/latest/cloud_tasks/guide/troubleshooting/"
            );
        }
        match self.unsigned_pushes {
            UnsignedPushes::None => {}
            UnsignedPushes::Declared => {
                let unsigned = registry.subscriptions().iter();
                let unsigned = unsigned.filter(|subscription| !subscription.oidc);
                let subscribers: Vec<_> = unsigned.map(|subscription| subscription.task).collect();
                tracing::warn!(
                    ?subscribers,
                    "pushes to these subscribers are not verified: they say `oidc = false`, and `allow_unsigned_pushes()` \
                     lets anybody call them"
                );
            }
            UnsignedPushes::Emulator => tracing::warn!(
                "pushes are not verified: `allow_emulator_pushes()` lets anybody call every subscriber"
            ),
        }
        if config.pubsub_emulator_host().is_some()
            && self.unsigned_pushes != UnsignedPushes::Emulator
            && !access.is_open()
        {
            tracing::warn!(
                "the Pub/Sub emulator of PUBSUB_EMULATOR_HOST sends no token, so its pushes are refused; \
                 `allow_emulator_pushes()` accepts them"
            );
        }
    }
}

/// The error of an expected task that is not registered.
fn not_registered(name: &str, registry: &Registry) -> Invalid {
    let plain = |name: &str| name.replace(['_', '-', '.'], "").to_ascii_lowercase();
    let wanted = plain(name);
    let registrations = registry.registrations();
    let names = registrations.iter().flat_map(|registration| {
        let aliases = registration.aliases.iter().copied();
        std::iter::once(registration.name).chain(aliases)
    });
    let similar: Vec<_> = names
        .filter(|other| {
            !wanted.is_empty() && (plain(other).contains(&wanted) || wanted.contains(&plain(other)))
        })
        .map(|other| format!("{other:?}"))
        .collect();
    if similar.is_empty() {
        return Invalid::because(format!(
            "the task {name:?} is expected but not registered: its crate was not linked, or it has another name; \
             `use the_crate as _;` in the binary makes the linker keep a crate"
        ));
    }
    Invalid::because(format!(
        "the task {name:?} is expected but not registered: did you mean {}? Otherwise its crate was not linked; \
         `use the_crate as _;` in the binary makes the linker keep a crate",
        similar.join(" or ")
    ))
}

/// Formats all errors as one text.
pub(super) fn list(errors: &[Invalid]) -> String {
    // Each stays on its line.
    let errors: Vec<_> = errors
        .iter()
        .map(|error| safe(&error.to_string()).into_owned())
        .collect();
    match &errors[..] {
        [error] => format!("the runtime was not built: {error}"),
        _ => {
            format!(
                "the runtime was not built, for {} reasons:\n- {}",
                errors.len(),
                errors.join("\n- ")
            )
        }
    }
}
