//! How often a task is tried altogether, and by whose word.

use crate::base::TaskMetadata;
use crate::registry::RegisteredHandler;
use crate::runtime::Runtime;

/// The number of attempts after which a task is given up.
#[derive(Clone, Copy)]
pub(crate) struct AttemptLimit {
    pub attempts: u32,
    /// Whether the task says it: then nobody stops but us.
    pub own: bool,
}

impl Runtime {
    /// The limit of the attempts of a task, where it is known: the lower one, and the task's own where both are the same.
    pub(crate) fn attempt_limit(
        &self,
        entry: &RegisteredHandler,
        metadata: &TaskMetadata,
    ) -> Option<AttemptLimit> {
        // What the metadata say already, a test has chosen.
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

    /// After how many attempts a queue gives a task up, as far as its settings say.
    fn attempts_of_queue(&self, name: &str) -> Option<u32> {
        let mut queues = self.inner.queues.iter();
        queues.find(|queue| queue.name == name)?.attempts()
    }
}

/// How often Cloud Scheduler tries a run. It does not say how often it has, so only that there is no second one is of use.
fn attempts_of_schedule(entry: &RegisteredHandler, metadata: &TaskMetadata) -> Option<u32> {
    let options = entry
        .registration
        .periodic
        .filter(|_| metadata.is_scheduled())?
        .options;
    Some(options.max_retries.unwrap_or(0).saturating_add(1))
}
