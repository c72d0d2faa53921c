//! Ids that are in use or blocked, as Cloud Tasks remembers them.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

/// Cloud Tasks blocks the name of a finished task for 1 to 24 hours; tests see the longest.
const BLOCKED: Duration = Duration::from_secs(24 * 60 * 60);

/// The ids in use, by queue: while their tasks wait or run, and for a day after that.
#[derive(Debug, Default)]
pub(crate) struct UsedIds {
    /// When their tasks ended, if they have.
    ends: HashMap<Id, Option<SystemTime>>,
    /// The ended ones, in the order of their end.
    ended: VecDeque<(SystemTime, Id)>,
}

/// A queue, and an id in it.
type Id = (String, String);

impl UsedIds {
    /// Reserves an id for a task that is enqueued now. Returns `false` if it is in use.
    pub fn reserve(&mut self, queue: &str, id: &str, now: SystemTime) -> bool {
        self.forget(now);
        let id = (queue.to_owned(), id.to_owned());
        let is_blocked = |end: &Option<SystemTime>| end.is_none_or(|end| !is_over(end, now));
        if self.ends.get(&id).is_some_and(is_blocked) {
            return false;
        }
        self.ends.insert(id, None);
        true
    }

    /// Records the end of a task, whose id becomes free after a day.
    pub fn end(&mut self, queue: &str, id: &str, now: SystemTime) {
        let id = (queue.to_owned(), id.to_owned());
        if let Some(end) = self.ends.get_mut(&id) {
            *end = Some(now);
            self.ended.push_back((now, id));
        }
    }

    /// Frees an id, as if its task had never existed.
    pub fn free(&mut self, queue: &str, id: &str) {
        self.ends.remove(&(queue.to_owned(), id.to_owned()));
    }

    /// Removes ids that are no longer blocked. If the clock is set back, this happens later.
    fn forget(&mut self, now: SystemTime) {
        while self.ended.front().is_some_and(|(end, _)| is_over(*end, now)) {
            let Some((end, id)) = self.ended.pop_front() else {
                return;
            };
            // It may have been reserved again since.
            if self.ends.get(&id) == Some(&Some(end)) {
                self.ends.remove(&id);
            }
        }
    }
}

/// Whether an id whose task ended then is no longer blocked.
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
        let mut used = UsedIds::default();

        assert!(used.reserve("emails", "a", START));
        assert!(!used.reserve("emails", "a", hours(1000)));
        assert!(used.reserve("other", "a", START));
        used.end("emails", "a", hours(1000));
        assert!(!used.reserve("emails", "a", hours(1023)));
        assert!(used.reserve("emails", "a", hours(1024)));
        assert!(!used.reserve("emails", "a", hours(5000)));
    }

    #[test]
    fn an_id_that_is_freed_can_be_taken_at_once() {
        let mut used = UsedIds::default();

        used.reserve("emails", "a", START);
        used.free("emails", "a");

        assert!(used.reserve("emails", "a", START));
    }

    #[test]
    fn nothing_is_kept_for_ever() {
        let mut used = UsedIds::default();
        for hour in 0..1000 {
            let id = hour.to_string();
            assert!(used.reserve("emails", &id, hours(hour)));
            used.end("emails", &id, hours(hour));
        }

        assert_eq!((used.ends.len(), used.ended.len()), (24, 24));
    }

    #[test]
    fn an_end_that_nobody_waits_for_is_none() {
        let mut used = UsedIds::default();

        used.end("emails", "a", START);

        assert!(used.reserve("emails", "a", START));
    }

    #[test]
    fn a_clock_that_is_set_back_frees_nothing_too_early() {
        let mut used = UsedIds::default();
        used.reserve("emails", "a", hours(100));
        used.end("emails", "a", hours(100));
        used.reserve("emails", "b", hours(50));
        used.end("emails", "b", hours(50));

        assert!(!used.reserve("emails", "b", hours(60)));
        assert!(used.reserve("emails", "b", hours(80)));
        assert!(!used.reserve("emails", "a", hours(80)));
    }
}
