//! What the tasks of this program need of a runtime, since every runtime in it has all of these tasks.

use cloud_tasks::idempotency::MemoryStore;
use cloud_tasks::runtime::RuntimeBuilder;

use crate::support::effects::Effects;
use crate::{backup, bulk, dead, faults, model, operations, schedules, tasks, unique, values};

/// Gives the runtime a store and a state for every task; a test replaces those that it looks at.
pub(crate) fn with_dependencies<M>(builder: RuntimeBuilder<M>) -> RuntimeBuilder<M> {
    builder
        .idempotency(MemoryStore::new())
        .state(backup::Queues::unread())
        .state(bulk::Ran::unread())
        .state(dead::stage::Shop::default())
        .state(faults::Journal::default())
        .state(Effects::default())
        .state(model::tasks::Journal::default())
        .state(operations::stage::Breakpoint::closed().0)
        .state(operations::stage::Journal::unread())
        .state(schedules::Journal::unread())
        .state(tasks::Journal::unread())
        .state(unique::tasks::Log::default())
        .state(values::Arrivals::unread())
}
