//! What a recorder keeps.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::clock::Time;
use crate::backend::UsedIds;
use crate::base::{Envelope, Publication};

/// What a recorder and the backend of its runtime share.
pub(super) struct Shared {
    tasks: Mutex<Tasks>,
    pub time: Time,
}

#[derive(Default)]
pub(super) struct Tasks {
    /// In the order in which they were enqueued and published.
    pub waiting: VecDeque<Record>,
    /// What ran and was delivered, in the order in which that began.
    pub done: Vec<Record>,
    /// Ids that callers gave: as at Google they stay taken after the task ran.
    pub taken: UsedIds,
    /// The queues whose tasks wait until they are resumed.
    pub paused: HashSet<String>,
    /// When each schedule of the runtime is due next; empty unless they are to run.
    pub schedules: Vec<Option<SystemTime>>,
}

/// A task or a message, under its id.
#[derive(Clone)]
pub(super) struct Record {
    pub id: String,
    pub what: What,
    pub recorded_at: SystemTime,
    /// How often it ran before.
    pub retries: u32,
    /// When it may run again, where it asked for a pause.
    pub paused_until: Option<SystemTime>,
}

#[derive(Clone)]
pub(super) enum What {
    Task(Box<Envelope>),
    Message(Publication),
}

impl Shared {
    pub(super) fn new(start: Option<SystemTime>) -> Self {
        Self {
            tasks: Mutex::default(),
            time: Time::new(start),
        }
    }

    pub(super) fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A task has ended, whose id others can have again in a while.
    pub(super) fn end(&self, queue: &str, id: &str) {
        let now = self.time.now();
        self.tasks().taken.end(queue, id, now);
    }

    /// A record made now.
    pub(super) fn record(&self, id: String, what: What) -> Record {
        Record {
            id,
            what,
            recorded_at: self.time.now(),
            retries: 0,
            paused_until: None,
        }
    }
}

impl Record {
    pub(super) fn envelope(&self) -> Option<&Envelope> {
        match &self.what {
            What::Task(envelope) => Some(envelope),
            What::Message(_) => None,
        }
    }

    pub(super) fn publication(&self) -> Option<&Publication> {
        match &self.what {
            What::Message(publication) => Some(publication),
            What::Task(_) => None,
        }
    }

    /// Whether it is a task of this queue.
    pub(super) fn is_of(&self, queue: &str) -> bool {
        self.envelope().is_some_and(|envelope| envelope.queue() == queue)
    }

    /// Whether it is the task of this id in this queue.
    pub(super) fn is(&self, queue: &str, id: &str) -> bool {
        self.id == id && self.is_of(queue)
    }

    /// The time before which it does not run, where there is one.
    pub(super) fn not_before(&self) -> Option<SystemTime> {
        self.paused_until
            .or_else(|| self.envelope().and_then(Envelope::schedule_time))
    }

    /// When it is due, which for most is when it was recorded.
    pub(super) fn due(&self) -> SystemTime {
        self.not_before().unwrap_or(self.recorded_at)
    }
}

impl Tasks {
    /// Whether this waits for its queue to be resumed.
    fn is_paused(&self, record: &Record) -> bool {
        let queue = record.envelope().map(Envelope::queue);
        queue.is_some_and(|queue| self.paused.contains(queue))
    }

    /// Takes what was recorded first, of queues that are not paused.
    pub(super) fn take_first(&mut self) -> Option<Record> {
        let place = self.waiting.iter().position(|record| !self.is_paused(record))?;
        self.waiting.remove(place)
    }

    /// Which of those that wait is due first, of those that are due by this time.
    pub(super) fn first_due(&self, by: SystemTime) -> Option<usize> {
        let due =
            |record: &Record| !self.is_paused(record) && record.not_before().is_none_or(|time| time <= by);
        let candidates = self.waiting.iter().enumerate().filter(|(_, record)| due(record));
        // Of several the first is found, which was enqueued first.
        let first = candidates.min_by_key(|(_, record)| record.due());
        first.map(|(place, _)| place)
    }

    /// Which schedule is due first, of those that are due by this time, and when.
    pub(super) fn first_schedule(&self, by: SystemTime) -> Option<(usize, SystemTime)> {
        let due = self.schedules.iter().enumerate();
        due.filter_map(|(place, time)| Some((place, (*time)?)))
            .filter(|(_, time)| *time <= by)
            .min_by_key(|(_, time)| *time)
    }
}
