//! What a runtime with a real backend must have in this program: it has all tasks, and each needs its state.

use cloud_tasks::idempotency::MemoryStore;
use cloud_tasks::runtime::RuntimeBuilder;

use crate::{dying, idempotency, interop, mounting, service};

/// Gives the runtime a store, and a state for every task.
pub(crate) fn with_dependencies<M>(builder: RuntimeBuilder<M>) -> RuntimeBuilder<M> {
    with_states(builder).idempotency(MemoryStore::new())
}

/// Gives the runtime a state for every task.
pub(crate) fn with_states<M>(builder: RuntimeBuilder<M>) -> RuntimeBuilder<M> {
    idempotency::with_states(builder)
        .state(dying::Steps::default())
        .state(interop::Seen::default())
        .state(mounting::Watch::default())
        .state(service::Cancelled::default())
}
