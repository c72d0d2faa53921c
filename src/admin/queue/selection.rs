//! Which tasks of a queue are meant.

use crate::admin::queue::Queue;
use crate::base::{Config, QueuedTask};
use crate::registry::Registration;

/// Tasks of some type, with so many attempts behind them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Where they are sent, to the letter: a queue may hold tasks of another service, which has tasks of the same names.
    urls: Option<Vec<String>>,
    attempts: u32,
}

impl Selection {
    pub(crate) fn at_least_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Those of a type.
    pub(crate) fn of(mut self, registration: &Registration, config: &Config) -> Self {
        self.urls = Some(urls(registration, config));
        self
    }

    /// Those of a name, and of the other names of that task where it is registered.
    pub(crate) fn named(mut self, name: &str, queue: &Queue) -> Self {
        let config = queue.runtime().config();
        let entry = queue.runtime().registry().by_name(name);
        self.urls = Some(match entry {
            Some(entry) => urls(&entry.registration, config),
            None => vec![config.task_url(name)],
        });
        self
    }

    pub(crate) fn fits(&self, task: &QueuedTask) -> bool {
        self.attempts <= task.attempts && self.urls.as_ref().is_none_or(|urls| urls.contains(&task.url))
    }

    /// Whether every task fits.
    #[cfg(feature = "cli")]
    pub(crate) fn is_everything(&self) -> bool {
        self.urls.is_none() && self.attempts == 0
    }
}

/// Where a task of this service is sent, by each of its names.
fn urls(registration: &Registration, config: &Config) -> Vec<String> {
    std::iter::once(&registration.name)
        .chain(registration.aliases)
        .map(|name| config.task_url(name))
        .collect()
}
