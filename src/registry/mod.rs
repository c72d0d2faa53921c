//! The registry of tasks, by name and by type.

mod conflicts;
pub(crate) mod dead_letter;
mod elsewhere;
mod handler;
pub(crate) mod queue_settings;
mod registered;
mod registration;
pub mod schedule;
pub(crate) mod schema;
pub(crate) mod subscription;
mod subscription_options;
pub(crate) mod topic;
pub(crate) mod topic_publisher;
pub(crate) mod unique;

use std::any::TypeId;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cloud_tasks_rules::limits::ATTEMPTS;

use crate::base::{Config, FixedHash, Invalid, States, limits, names};
use crate::registry::conflicts::Conflicts;
use crate::registry::schedule::Schedule;
use crate::registry::subscription::Subscription;

pub(crate) use elsewhere::{Accounts, Role};
#[cfg(feature = "testing")]
pub(crate) use handler::Around;
pub(crate) use handler::{AttemptError, BoundTask, Handler, TaskInput};
pub use registered::Registered;
pub(crate) use registered::resolve;
pub(crate) use registration::{Arguments, Declared, Kind, linked};
pub use registration::{Collected, Registration};
#[cfg(feature = "google")]
pub(crate) use subscription_options::subscription_options;

/// A task in a registry.
pub(crate) struct RegisteredHandler {
    pub registration: Declared,
    /// The task with its state, or the types that are missing.
    pub bound: Result<BoundTask, Vec<&'static str>>,
}

/// The tasks of a runtime.
#[derive(Default)]
pub(crate) struct Registry {
    subscriptions: Vec<Subscription>,
    schedules: Vec<Schedule>,
    by_name: HashMap<&'static str, Arc<RegisteredHandler>, FixedHash>,
    by_type: HashMap<TypeId, Arc<RegisteredHandler>, FixedHash>,
}

impl Registry {
    /// Builds the registry and collects every validation error.
    pub fn new(
        registrations: impl IntoIterator<Item = Registration>,
        states: &States,
        config: &Config,
        role: Role,
    ) -> (Self, Vec<Invalid>) {
        let mut registry = Self::default();
        let mut errors = Vec::new();
        let mut conflicts = Conflicts::default();
        for registration in registrations {
            let registration = *registration.declared();
            let type_id = (registration.type_id)();
            if let Some(other) = registry.by_type.get(&type_id) {
                errors.extend(validate_handlers(&other.registration, &registration).err());
                continue;
            }
            let bound = (registration.bind)(states);
            #[cfg(feature = "testing")]
            let bound = bound.map(|bound| bound.observed(registration.name, states));
            let entry = Arc::new(RegisteredHandler { registration, bound });
            errors.extend(option_errors(&registration));
            if role == Role::Runs {
                errors.extend(registry.add_subscription(&registration, config, &mut conflicts));
                errors.extend(registry.add_schedule(&registration, config, &mut conflicts));
            }
            if let Kind::Publisher { topic } = registration.kind {
                let named = names::validate_pubsub_name("topic", &topic().name(config));
                errors.extend(named.err().map(|error| error.at(registration.location)));
            }
            registry.by_type.insert(type_id, Arc::clone(&entry));
            for &name in std::iter::once(&registration.name).chain(registration.aliases) {
                if let Some(other) = registry.by_name.insert(name, Arc::clone(&entry)) {
                    let mut places = [other.registration.location, registration.location];
                    places.sort_unstable();
                    errors.push(Invalid::because(format!(
                        "two tasks are named {name:?}: {} and {}; give one of them `#[task(name = \"..\")]`",
                        places[0], places[1]
                    )));
                }
            }
        }
        (registry, errors)
    }

    /// Adds the subscription of a subscriber, and returns its errors.
    fn add_subscription(
        &mut self,
        registration: &Declared,
        config: &Config,
        conflicts: &mut Conflicts,
    ) -> Vec<Invalid> {
        let Some(options) = registration.subscriber_options() else {
            return Vec::new();
        };
        let (subscription, mut errors) =
            Subscription::new(registration.name, registration.location, options, config);
        let timeout = registration
            .timeout
            .map(|timeout| options.validate_timeout(timeout));
        errors.extend(timeout.and_then(Result::err).map(|error| {
            let (name, location) = (registration.name, registration.location);
            error.of(format_args!("the subscriber {name} ({location})"))
        }));
        errors.extend(conflicts.add_subscription(&subscription));
        self.subscriptions.push(subscription);
        errors
    }

    /// Adds the schedule of a periodic task, and returns its errors.
    fn add_schedule(
        &mut self,
        registration: &Declared,
        config: &Config,
        conflicts: &mut Conflicts,
    ) -> Vec<Invalid> {
        let Some(periodic) = &registration.periodic else {
            return Vec::new();
        };
        let timeout = registration.timeout;
        let schedule = match Schedule::new(
            registration.name,
            registration.location,
            periodic,
            timeout,
            config,
        ) {
            Ok(schedule) => schedule,
            Err(errors) => return errors,
        };
        let error = conflicts.add_schedule(&schedule);
        self.schedules.push(schedule);
        error.into_iter().collect()
    }

    /// The schedules of all periodic tasks, sorted by task name.
    pub fn schedules(&self) -> &[Schedule] {
        &self.schedules
    }

    /// The subscriptions of all subscribers, sorted by task name.
    pub fn subscriptions(&self) -> &[Subscription] {
        &self.subscriptions
    }

    /// The publishers and the names of their topics, as far as these are known in advance.
    #[cfg(feature = "google")]
    pub fn published_topics(&self, config: &Config) -> impl Iterator<Item = (&'static str, String)> {
        self.by_type
            .values()
            .filter_map(|entry| match entry.registration.kind {
                Kind::Publisher { topic } => Some((entry.registration.name, topic().name(config))),
                Kind::Task | Kind::Subscriber(_) => None,
            })
    }

    /// Every registration, sorted by name.
    pub fn registrations(&self) -> Vec<&Declared> {
        let mut all: Vec<_> = self.by_type.values().map(|entry| &entry.registration).collect();
        all.sort_by_key(|registration| registration.name);
        all
    }

    /// The queues that the tasks set.
    #[cfg(feature = "google")]
    pub fn queues(&self) -> impl Iterator<Item = &'static str> {
        self.by_type.values().filter_map(|entry| entry.registration.queue)
    }

    pub fn by_name(&self, name: &str) -> Option<&Arc<RegisteredHandler>> {
        self.by_name.get(name)
    }

    pub fn by_type(&self, type_id: TypeId) -> Option<&Arc<RegisteredHandler>> {
        self.by_type.get(&type_id)
    }

    /// The idempotent tasks.
    pub fn idempotent(&self) -> Vec<&'static str> {
        let all = self.registrations();
        let idempotent = all
            .iter()
            .filter(|registration| registration.idempotent && registration.runs_here());
        idempotent.map(|registration| registration.name).collect()
    }

    /// The missing states, each with the tasks that need it.
    pub fn missing_states(&self) -> BTreeMap<&'static str, Vec<&'static str>> {
        let mut missing: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for entry in self.by_type.values() {
            for state in entry.bound.as_ref().err().into_iter().flatten() {
                missing.entry(*state).or_default().push(entry.registration.name);
            }
        }
        for tasks in missing.values_mut() {
            tasks.sort_unstable();
        }
        missing
    }
}

/// Checks that a shared task has one handler.
fn validate_handlers(one: &Declared, other: &Declared) -> Result<(), Invalid> {
    let are_handlers = one.handled && other.handled;
    Invalid::unless(!are_handlers || one.location == other.location, || {
        Invalid::because(format!(
            "two handlers run the task {}: {} and {}; remove one of them",
            one.name, one.location, other.location
        ))
    })
}

fn option_errors(registration: &Declared) -> Vec<Invalid> {
    let names = std::iter::once(&registration.name).chain(registration.aliases);
    let mut errors: Vec<_> = names
        .filter_map(|name| names::validate_task_name(name).err())
        .collect();
    errors.extend(
        registration
            .queue
            .and_then(|queue| names::validate_queue(queue).err()),
    );
    let timeout = registration.timeout;
    errors.extend(timeout.and_then(|timeout| limits::validate_timeout(timeout).err()));
    if let Some(unique) = registration.unique {
        errors.extend(unique.errors(registration.name));
    }
    match registration.max_attempts {
        Some(0) => errors.push(Invalid::because(
            "max_attempts is 0; a task is tried at least once",
        )),
        Some(number) if !ATTEMPTS.contain(number) => errors.push(Invalid::because(format!(
            "max_attempts is {number}; Cloud Tasks accepts {} to {}",
            ATTEMPTS.min, ATTEMPTS.max
        ))),
        _ => {}
    }
    errors
        .into_iter()
        .map(|error| error.at(registration.location))
        .collect()
}
