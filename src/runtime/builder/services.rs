//! Checks of a runtime that enqueues tasks which run elsewhere.

use crate::base::{Config, Invalid, ServiceEndpoint, uncallable_endpoint};
use crate::registry::{Accounts, Registry};
use crate::runtime::builder::Parts;

impl Parts {
    /// What keeps the tasks of this program from reaching the service that runs them, if this runtime only enqueues.
    pub(super) fn way_back(&self, registry: &Registry) -> Option<Invalid> {
        let own = registry.own_tasks();
        if own.is_empty() || self.accounts == Accounts::Any {
            return None;
        }
        let error = uncallable_endpoint(&self.config)?;
        Some(error.of(format_args!("the tasks {}", own.join(", "))))
    }
}

/// Gives each service an endpoint that exists nowhere, for a runtime whose tasks do not leave this process.
pub(super) fn with_test_services(config: Config, registry: &Registry) -> Config {
    let unknown = registry.other_services().into_keys();
    unknown.fold(config, |config, name| match config.service(name) {
        Some(_) => config,
        None => config.with_service(name, ServiceEndpoint::new(format!("https://{name}.test"))),
    })
}
