//! Ids that no other task of a queue can have, as Cloud Tasks remembers them.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

/// Cloud Tasks blocks the name of a task that ran for 1 to 24 hours; a test is to see the longest.
const BLOCKED: Duration = Duration::from_secs(24 * 60 * 60);

/// The ids that are taken, by queue: while their tasks wait or run, and for a day after that.
#[derive(Debug, Default)]
pub(crate) struct UsedIds {
    /// When their tasks ended, where they did.
    ends: HashMap<Id, Option<SystemTime>>,
    /// Those that ended, in that order.
    ended: VecDeque<(SystemTime, Id)>,
}

/// A queue, and an id in it.
type Id = (String, String);

impl UsedIds {
    /// Takes an id for a task that is enqueued now; `false` where it is taken.
    pub(crate) fn take(&mut self, queue: &str, id: &str, now: SystemTime) -> bool {
        self.forget(now);
        let id = (queue.to_owned(), id.to_owned());
        let is_blocked = |end: &Option<SystemTime>| end.is_none_or(|end| !is_over(end, now));
        if self.ends.get(&id).is_some_and(is_blocked) {
            return false;
        }
        self.ends.insert(id, None);
        true
    }

    /// The task of an id that was taken has ended, so that it is free in a day.
    pub(crate) fn end(&mut self, queue: &str, id: &str, now: SystemTime) {
        let id = (queue.to_owned(), id.to_owned());
        if let Some(end) = self.ends.get_mut(&id) {
            *end = Some(now);
            self.ended.push_back((now, id));
        }
    }

    /// Frees an id, as if there had been no such task.
    pub(crate) fn free(&mut self, queue: &str, id: &str) {
        self.ends.remove(&(queue.to_owned(), id.to_owned()));
    }

    /// Forgets what is not blocked any more; a clock that was set back only makes that later.
    fn forget(&mut self, now: SystemTime) {
        while self.ended.front().is_some_and(|(end, _)| is_over(*end, now)) {
            let Some((end, id)) = self.ended.pop_front() else {
                return;
            };
            // It may have been taken again since.
            if self.ends.get(&id) == Some(&Some(end)) {
                self.ends.remove(&id);
            }
        }
    }
}

/// Whether the time after this end is over in which the id is blocked.
fn is_over(end: SystemTime, now: SystemTime) -> bool {
    now.duration_since(end).is_ok_and(|since| since >= BLOCKED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn hours(hours: u64) -> SystemTime {
        START + Duration::from_secs(hours * 60 * 60)
    }

    #[test]
    fn an_id_is_taken_while_its_task_waits_and_for_a_day_after() {
        let mut taken = UsedIds::default();

        assert!(taken.take("emails", "a", START));
        assert!(!taken.take("emails", "a", hours(1000)));
        assert!(taken.take("other", "a", START));
        taken.end("emails", "a", hours(1000));
        assert!(!taken.take("emails", "a", hours(1023)));
        assert!(taken.take("emails", "a", hours(1024)));
        assert!(!taken.take("emails", "a", hours(5000)));
    }

    #[test]
    fn an_id_that_is_freed_can_be_taken_at_once() {
        let mut taken = UsedIds::default();

        taken.take("emails", "a", START);
        taken.free("emails", "a");

        assert!(taken.take("emails", "a", START));
    }

    #[test]
    fn nothing_is_kept_for_ever() {
        let mut taken = UsedIds::default();
        for hour in 0..1000 {
            let id = hour.to_string();
            assert!(taken.take("emails", &id, hours(hour)));
            taken.end("emails", &id, hours(hour));
        }

        assert_eq!((taken.ends.len(), taken.ended.len()), (24, 24));
    }

    #[test]
    fn an_end_that_nobody_waits_for_is_none() {
        let mut taken = UsedIds::default();

        taken.end("emails", "a", START);

        assert!(taken.take("emails", "a", START));
    }

    #[test]
    fn a_clock_that_is_set_back_frees_nothing_too_early() {
        let mut taken = UsedIds::default();
        taken.take("emails", "a", hours(100));
        taken.end("emails", "a", hours(100));
        taken.take("emails", "b", hours(50));
        taken.end("emails", "b", hours(50));

        assert!(!taken.take("emails", "b", hours(60)));
        assert!(taken.take("emails", "b", hours(80)));
        assert!(!taken.take("emails", "a", hours(80)));
    }
}
