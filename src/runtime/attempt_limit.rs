//! The maximum number of attempts of a task, and who enforces it.

use crate::base::TaskMetadata;
use crate::registry::RegisteredHandler;
use crate::runtime::Runtime;

/// The number of attempts after which a task is given up.
#[derive(Clone, Copy)]
pub(crate) struct AttemptLimit {
    pub attempts: u32,
    /// Whether it is the task's own limit: then only our response stops Cloud Tasks.
    pub own: bool,
}

impl Runtime {
    /// The maximum number of attempts, if known: the lower limit, or the task's own if both are equal.
    pub(crate) fn attempt_limit(
        &self,
        entry: &RegisteredHandler,
        metadata: &TaskMetadata,
    ) -> Option<AttemptLimit> {
        // A limit in the metadata was chosen by a test.
        let own = metadata.max_attempts().or(entry.registration.max_attempts);
        let others = match metadata.queue() {
            Some(queue) => self.attempts_of_queue(queue),
            None => attempts_of_schedule(entry, metadata),
        };
        match (own, others) {
            (Some(own), others) if others.is_none_or(|others| own <= others) => Some(AttemptLimit {
                attempts: own,
                own: true,
            }),
            (_, others) => others.map(|attempts| AttemptLimit { attempts, own: false }),
        }
    }

    /// The maximum number of attempts of queues, as far as their settings are known.
    fn attempts_of_queue(&self, name: &str) -> Option<u32> {
        let mut queues = self.inner.queues.iter();
        queues.find(|queue| queue.name() == name)?.attempts()
    }
}

/// The attempts of a scheduled run.
fn attempts_of_schedule(entry: &RegisteredHandler, metadata: &TaskMetadata) -> Option<u32> {
    let periodic = entry.registration.periodic.filter(|_| metadata.is_scheduled())?;
    Some(periodic.attempts())
}
