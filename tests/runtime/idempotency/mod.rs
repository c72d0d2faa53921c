//! Idempotency: stores, repeated deliveries, failures.

mod cloud_events;
mod deliveries;
mod failures;
mod once;
mod stores;

use cloud_tasks::runtime::RuntimeBuilder;

/// Gives the runtime a state for every task of this module.
pub(crate) fn with_states<M>(builder: RuntimeBuilder<M>) -> RuntimeBuilder<M> {
    builder
        .state(crate::support::deliveries::Effects::default())
        .state(deliveries::Signals::default())
        .state(once::Signals::default())
}
