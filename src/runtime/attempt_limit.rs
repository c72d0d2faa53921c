//! The maximum numbers of attempts of a task, and who enforces them.

#[cfg(feature = "serve")]
use http::HeaderMap;

use crate::base::TaskMetadata;
use crate::registry::RegisteredHandler;
use crate::runtime::Runtime;

/// The numbers of attempts after which a task is given up, as far as they are known.
#[derive(Clone, Copy, Default)]
pub(crate) struct AttemptLimits {
    /// The task's own limit: only our response stops Cloud Tasks.
    own: Option<u32>,
    own_counts: Counted,
    /// The limit of the queue or the schedule, which counts deliveries, whatever becomes of them.
    queue: Option<u32>,
}

/// What the task's own limit counts.
#[derive(Clone, Copy, Default, PartialEq)]
enum Counted {
    /// Runs, where an idempotency store counts them, otherwise deliveries.
    #[default]
    Runs,
    /// A test has chosen the limit, and counts the attempts itself.
    Deliveries,
}

/// Which limits an attempt has reached; at least one of them.
#[derive(Clone, Copy)]
pub(crate) struct LastAttempt {
    /// The task's own: the task ends if our response says so, and otherwise is delivered again.
    pub by_own_limit: bool,
    /// That of the queue: the task is not delivered again, whatever our response says.
    pub by_queue: bool,
}

impl AttemptLimits {
    /// Whether there is any limit.
    pub fn are_known(&self) -> bool {
        self.own.is_some() || self.queue.is_some()
    }

    /// The lower limit.
    pub fn lower(&self) -> Option<u32> {
        self.own.into_iter().chain(self.queue).min()
    }

    /// Whether this attempt is the last one, by the number of its delivery and, if it is known, of its run.
    pub fn last(&self, delivery: u32, run: Option<u32>) -> Option<LastAttempt> {
        let counted = run
            .filter(|_| self.own_counts == Counted::Runs)
            .unwrap_or(delivery);
        let last = LastAttempt {
            by_own_limit: self.own.is_some_and(|own| counted >= own),
            by_queue: self.is_queues_last(delivery),
        };
        (last.by_own_limit || last.by_queue).then_some(last)
    }

    /// Whether the queue makes no delivery after this one.
    pub fn is_queues_last(&self, delivery: u32) -> bool {
        self.queue.is_some_and(|queue| delivery >= queue)
    }
}

impl Runtime {
    /// The limits of a task's attempts, as far as they are known.
    pub(crate) fn attempt_limits(&self, entry: &RegisteredHandler, metadata: &TaskMetadata) -> AttemptLimits {
        // The headers are looked at only if they can make a difference.
        let can_be_known = !self.inner.queues.is_empty() || entry.registration.periodic.is_some();
        let queue = can_be_known.then(|| match metadata.queue() {
            Some(queue) => self.attempts_of_queue(queue),
            None => attempts_of_schedule(entry, metadata),
        });
        let queue = queue.flatten();
        match metadata.max_attempts() {
            Some(chosen) => AttemptLimits {
                own: Some(chosen),
                own_counts: Counted::Deliveries,
                queue,
            },
            None => AttemptLimits {
                own: entry.registration.max_attempts,
                own_counts: Counted::Runs,
                queue,
            },
        }
    }

    /// Whether the queue of this delivery makes no other one, as far as its settings are known.
    pub(crate) fn is_last_of_queue(&self, metadata: &TaskMetadata) -> bool {
        if self.inner.queues.is_empty() {
            return false;
        }
        let max = metadata.queue().and_then(|queue| self.attempts_of_queue(queue));
        max.is_some_and(|max| metadata.attempt() >= max)
    }

    /// The same of a request, whose caller is not verified yet.
    #[cfg(feature = "serve")]
    pub(crate) fn is_last_request(&self, headers: &HeaderMap) -> bool {
        !self.inner.queues.is_empty() && self.is_last_of_queue(&TaskMetadata::from_headers(headers.clone()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_limit_counts_runs_where_they_are_known_and_the_queues_counts_deliveries() {
        let limits = |own, queue| AttemptLimits {
            own,
            queue,
            ..AttemptLimits::default()
        };
        for (limits, delivery, run, expected) in [
            (limits(None, None), 100, Some(100), None),
            (limits(Some(3), None), 2, None, None),
            (limits(Some(3), None), 3, None, Some((true, false))),
            (limits(Some(3), None), 9, Some(2), None),
            (limits(Some(3), None), 9, Some(3), Some((true, false))),
            (limits(None, Some(5)), 4, Some(9), None),
            (limits(None, Some(5)), 5, Some(1), Some((false, true))),
            (limits(Some(3), Some(5)), 5, Some(2), Some((false, true))),
            (limits(Some(3), Some(5)), 4, Some(3), Some((true, false))),
            (limits(Some(5), Some(5)), 5, None, Some((true, true))),
        ] {
            let last = limits.last(delivery, run);
            let found = last.map(|last| (last.by_own_limit, last.by_queue));
            assert_eq!(found, expected, "{delivery} {run:?}");
        }
        let of_a_test = AttemptLimits {
            own_counts: Counted::Deliveries,
            ..limits(Some(1), None)
        };
        assert!(of_a_test.last(1, Some(0)).is_some());
    }
}
