//! A count of the effects that tasks had.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cloud_tasks::TaskResult;

/// How often each effect happened.
#[derive(Clone, Default)]
pub(crate) struct Effects(Arc<Mutex<BTreeMap<u64, u32>>>);

impl Effects {
    pub(crate) fn happen(&self, number: u64) {
        *self.0.lock().unwrap().entry(number).or_default() += 1;
    }

    /// As an effect of its own, during which others have their turn.
    pub(crate) async fn charge(&self, number: u64) -> TaskResult {
        tokio::task::yield_now().await;
        self.happen(number);
        Ok(())
    }

    pub(crate) fn of(&self, number: u64) -> u32 {
        self.0.lock().unwrap().get(&number).copied().unwrap_or(0)
    }

    /// How many happened at all, and how many of these more than once.
    pub(crate) fn count(&self) -> (usize, usize) {
        let effects = self.0.lock().unwrap();
        (
            effects.len(),
            effects.values().filter(|times| **times > 1).count(),
        )
    }
}
