//! Idempotency: stores, repeated deliveries, failures.

mod cloud_events;
mod deliveries;
mod failures;
mod file_store;
mod leases;
mod once;
mod stopping;
mod stores;

use cloud_tasks::Runtime;
use cloud_tasks::idempotency::IdempotencyStore;
use cloud_tasks::runtime::RuntimeBuilder;

use crate::support::deliveries::{Effects, runtime};

/// Gives the runtime a state for every task of this module.
pub(crate) fn with_states<M>(builder: RuntimeBuilder<M>) -> RuntimeBuilder<M> {
    builder
        .state(Effects::default())
        .state(deliveries::Signals::default())
        .state(once::Signals::default())
        .state(crate::tasks::Log::default())
        .state(crate::turned_away::Permits::default())
}

/// An eager runtime with this store, for a test that steers its task by these signals.
async fn runtime_with_signals<S>(store: impl IdempotencyStore, signals: &S) -> (Runtime, Effects)
where
    S: Clone + Send + Sync + 'static,
{
    let effects = Effects::default();
    let builder = Runtime::eager().state(effects.clone()).idempotency(store);
    (builder.state(signals.clone()).build().await.unwrap(), effects)
}
