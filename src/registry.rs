//! Every task that this process knows, by name and by type.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::limits;
use crate::metadata::TaskMetadata;
use crate::names;
use crate::outcome::TaskError;
use crate::state::States;

pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A task with its types erased: JSON in, JSON out.
pub(crate) trait Handler: Send + Sync {
    fn call(&self, body: Bytes, metadata: TaskMetadata) -> BoxFuture<'_, Result<Vec<u8>, Failure>>;
}

/// Why a handler gave no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The body is not the JSON of the task's arguments; the text names the field and the position.
    Decode(String),
    /// The task itself stopped.
    Task(TaskError),
    /// The output does not serialize.
    Output(serde_json::Error),
    /// The task panicked, with this message.
    Panicked(String),
    /// The task took longer than this and was cancelled.
    TimedOut(Duration),
}

/// A task and the state that it asked for.
pub(crate) struct Bound {
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) state: Arc<dyn Any + Send + Sync>,
}

/// What `#[task]` writes down of a task.
#[derive(Clone, Copy)]
pub struct Registration {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) queue: Option<&'static str>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) location: &'static str,
    pub(crate) type_id: fn() -> TypeId,
    pub(crate) bind: fn(&States) -> Result<Bound, Vec<&'static str>>,
}

impl Registration {
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
pub struct Linked(Registration);

impl Linked {
    /// Wraps a registration.
    pub const fn new(registration: Registration) -> Self {
        Self(registration)
    }
}

inventory::collect!(Linked);

/// Every task that was linked into this process.
pub(crate) fn linked() -> impl Iterator<Item = Registration> {
    inventory::iter::<Linked>.into_iter().map(|linked| linked.0)
}

/// A task of a registry.
pub(crate) struct Entry {
    pub(crate) registration: Registration,
    /// Without its state the task cannot run; these types are missing.
    pub(crate) bound: Result<Bound, Vec<&'static str>>,
}

/// The tasks of a runtime.
#[derive(Default)]
pub(crate) struct Registry {
    by_name: HashMap<&'static str, Arc<Entry>>,
    by_type: HashMap<TypeId, Arc<Entry>>,
}

impl Registry {
    /// Builds a registry, with everything that is wrong with its tasks.
    pub(crate) fn new(
        registrations: impl IntoIterator<Item = Registration>,
        states: &States,
    ) -> (Self, Vec<String>) {
        let mut registry = Self::default();
        let mut mistakes = Vec::new();
        for registration in registrations {
            let type_id = (registration.type_id)();
            if registry.by_type.contains_key(&type_id) {
                continue;
            }
            let entry = Arc::new(Entry {
                registration,
                bound: (registration.bind)(states),
            });
            mistakes.extend(option_mistakes(&registration));
            registry.by_type.insert(type_id, Arc::clone(&entry));
            for &name in std::iter::once(&registration.name).chain(registration.aliases) {
                if let Some(other) = registry.by_name.insert(name, Arc::clone(&entry)) {
                    let mut places = [other.registration.location, registration.location];
                    places.sort_unstable();
                    mistakes.push(format!(
                        "two tasks are named {name:?}: {} and {}; give one of them `#[task(name = \"..\")]`",
                        places[0], places[1]
                    ));
                }
            }
        }
        (registry, mistakes)
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<Entry>> {
        self.by_name.get(name)
    }

    pub(crate) fn by_type(&self, type_id: TypeId) -> Option<&Arc<Entry>> {
        self.by_type.get(&type_id)
    }

    /// The states that are missing, with the tasks that ask for each.
    pub(crate) fn missing_states(&self) -> BTreeMap<&'static str, Vec<&'static str>> {
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

fn option_mistakes(registration: &Registration) -> impl Iterator<Item = String> {
    let names = std::iter::once(&registration.name)
        .chain(registration.aliases)
        .filter_map(|name| names::task_name_mistake(name));
    let queue = registration.queue.and_then(names::queue_mistake);
    let timeout = registration.timeout.and_then(limits::timeout_mistake);
    let location = registration.location;
    names
        .chain(queue)
        .chain(timeout)
        .map(move |mistake| format!("{mistake} ({location})"))
}
