//! A log of attempts.

use std::sync::{Arc, Mutex, PoisonError};

use cloud_tasks::task::TaskMetadata;
use serde::Serialize;

/// A record of every attempt of every task, in order.
#[derive(Clone, Default)]
pub(crate) struct Activity {
    entries: Arc<Mutex<Vec<Entry>>>,
}

/// One attempt.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) task: &'static str,
    pub(crate) id: Option<String>,
    pub(crate) attempt: u32,
    pub(crate) outcome: String,
}

impl Activity {
    pub(crate) fn record(&self, task: &'static str, metadata: &TaskMetadata, outcome: impl Into<String>) {
        self.lock().push(Entry {
            task,
            id: metadata.id().map(str::to_owned),
            attempt: metadata.attempt(),
            outcome: outcome.into(),
        });
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
