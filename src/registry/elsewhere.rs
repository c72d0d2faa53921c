//! Tasks of other services, and what a runtime needs to enqueue them.

use std::collections::BTreeMap;

use crate::base::{Config, Error, ErrorKind, Invalid, service_variable, validate_service};
use crate::registry::{Declared, Kind, Registry};

impl Registry {
    /// The registration as this service sees it: if there is a handler for a shared task, the task runs here.
    pub fn resolve(&self, declared: Declared) -> Declared {
        let entry = self.by_type((declared.type_id)());
        entry.map_or(declared, |entry| entry.registration)
    }

    /// Checks that a task of this service would find its way back: a shared event publishes only where it is registered.
    pub fn validate_sender(&self, declared: &Declared) -> Result<(), Error> {
        if !declared.shared || self.by_type((declared.type_id)()).is_some() {
            return Ok(());
        }
        let name = declared.name;
        Err(Error::new(
            ErrorKind::UnknownTask,
            format!(
                "the event {name} was not published: it is shared, and this service has no task that publishes it; add \
                 `.register::<{name}>()` to the builder, or publish it from this process with `sync()`"
            ),
        ))
    }

    /// The services that run tasks which can be enqueued here, each with its tasks.
    pub fn other_services(&self) -> BTreeMap<&'static str, Vec<&'static str>> {
        let mut services: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for registration in self.registrations() {
            if let Some(service) = registration.service {
                services.entry(service).or_default().push(registration.name);
            }
        }
        services
    }

    /// What the settings lack for the tasks of other services.
    ///
    /// `accounts` says whether requests are signed as accounts that have to be named.
    pub fn missing_services(&self, config: &Config, accounts: Accounts) -> Vec<Invalid> {
        let mut missing = Vec::new();
        for (service, tasks) in self.other_services() {
            if let Err(invalid) = validate_service(service) {
                missing.push(invalid.of(tasks.join(", ")));
                continue;
            }
            let (variable, tasks) = (service_variable(service), tasks.join(", "));
            match config.service(service) {
                None => missing.push(Invalid::because(format!(
                    "the endpoint of the service {service} is unknown, which runs {tasks}: set {variable} to its URL; in the \
                     service {service} itself, link the handlers (`#[task] impl TaskHandler`)"
                ))),
                Some(endpoint) if endpoint.account().is_none() && accounts == Accounts::Named => {
                    missing.push(Invalid::because(format!(
                        "the account of the service {service} is unknown, which runs {tasks}: set {variable}_ACCOUNT to an \
                         account that it trusts; it trusts its own"
                    )));
                }
                Some(_) => {}
            }
        }
        missing
    }

    /// The tasks that come back to this service, or to the service behind its endpoint.
    pub fn own_tasks(&self) -> Vec<&'static str> {
        let all = self.registrations().into_iter();
        all.filter(|registration| {
            registration.runs_here() && !matches!(registration.kind, Kind::Subscriber(_))
        })
        .map(|registration| registration.name)
        .collect()
    }
}

/// Whether the accounts of other services have to be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accounts {
    /// Google signs requests as a named account.
    Named,
    /// An emulator signs as anybody, and another backend signs as it likes.
    Any,
}

/// What a runtime does with its tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    /// It enqueues and runs them.
    #[default]
    Runs,
    /// It enqueues them, and answers no request.
    OnlyEnqueues,
}
