//! Selection of a queue's tasks.

use crate::admin::queue::Queue;
use crate::base::{Config, QueuedTask};
use crate::registry::Declared;

/// Tasks of a type, with a minimum number of attempts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Their exact URLs: a queue may hold tasks of another service with the same names.
    urls: Option<Vec<String>>,
    attempts: u32,
}

impl Selection {
    pub fn at_least_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Tasks of a type.
    pub fn of(mut self, registration: &Declared, config: &Config) -> Self {
        self.urls = Some(urls(registration, config));
        self
    }

    /// Tasks of a name, and of the task's other names if it is registered.
    pub fn named(mut self, name: &str, queue: &Queue) -> Self {
        let config = queue.runtime().config();
        let entry = queue.runtime().registry().by_name(name);
        self.urls = Some(match entry {
            Some(entry) => urls(&entry.registration, config),
            None => vec![config.task_url(name)],
        });
        self
    }

    pub fn matches(&self, task: &QueuedTask) -> bool {
        self.attempts <= task.attempts()
            && self
                .urls
                .as_ref()
                .is_none_or(|urls| urls.iter().any(|url| url == task.url()))
    }

    /// Whether every task matches.
    #[cfg(feature = "cli")]
    pub fn is_everything(&self) -> bool {
        self.urls.is_none() && self.attempts == 0
    }
}

/// The URLs of a task of this service, one per name.
fn urls(registration: &Declared, config: &Config) -> Vec<String> {
    std::iter::once(&registration.name)
        .chain(registration.aliases)
        .map(|name| registration.url(name, config))
        .collect()
}
