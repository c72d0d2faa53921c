//! The state of a recorder.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::clock::Time;
use crate::backend::UsedIds;
use crate::base::{Envelope, Publication};

/// The state that a recorder shares with the backend of its runtime.
pub(super) struct Shared {
    tasks: Mutex<Tasks>,
    pub time: Time,
}

#[derive(Default)]
pub(super) struct Tasks {
    /// In the order they were enqueued and published.
    pub waiting: VecDeque<Record>,
    /// What ran or was delivered, in the order it began.
    pub done: Vec<Record>,
    /// Ids that callers chose. As on Google Cloud, they stay in use after the task has run.
    pub used_ids: UsedIds,
    /// The paused queues.
    pub paused: HashSet<String>,
    /// When each schedule of the runtime is due next; empty unless schedules run.
    pub schedules: Vec<Option<SystemTime>>,
}

/// A task or a message with its id.
#[derive(Clone)]
pub(super) struct Record {
    pub id: String,
    pub what: What,
    pub recorded_at: SystemTime,
    /// The number of earlier attempts.
    pub retries: u32,
    /// When it may be retried, if it asked for a delay.
    pub paused_until: Option<SystemTime>,
}

#[derive(Clone)]
pub(super) enum What {
    Task(Box<Envelope>),
    Message(Publication),
}

impl Shared {
    pub fn new(start: Option<SystemTime>) -> Self {
        Self {
            tasks: Mutex::default(),
            time: Time::new(start),
        }
    }

    pub fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a task, whose id stays blocked for a while.
    pub fn end(&self, queue: &str, id: &str) {
        let now = self.time.now();
        self.tasks().used_ids.end(queue, id, now);
    }

    /// A record of the current time.
    pub fn record(&self, id: String, what: What) -> Record {
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
    pub fn envelope(&self) -> Option<&Envelope> {
        match &self.what {
            What::Task(envelope) => Some(envelope),
            What::Message(_) => None,
        }
    }

    pub fn publication(&self) -> Option<&Publication> {
        match &self.what {
            What::Message(publication) => Some(publication),
            What::Task(_) => None,
        }
    }

    /// Whether it is a task of this queue.
    pub fn is_of(&self, queue: &str) -> bool {
        self.envelope().is_some_and(|envelope| envelope.queue() == queue)
    }

    /// Whether it is the task of this id in this queue.
    pub fn is(&self, queue: &str, id: &str) -> bool {
        self.id == id && self.is_of(queue)
    }

    /// The time before which it does not run, if any.
    pub fn not_before(&self) -> Option<SystemTime> {
        self.paused_until
            .or_else(|| self.envelope().and_then(Envelope::schedule_time))
    }

    /// When it is due; for most records when they were recorded.
    pub fn due(&self) -> SystemTime {
        self.not_before().unwrap_or(self.recorded_at)
    }
}

impl Tasks {
    /// Whether the record's queue is paused.
    fn is_paused(&self, record: &Record) -> bool {
        let queue = record.envelope().map(Envelope::queue);
        queue.is_some_and(|queue| self.paused.contains(queue))
    }

    /// Removes the first record whose queue is not paused.
    pub(super) fn take_first(&mut self) -> Option<Record> {
        let place = self.waiting.iter().position(|record| !self.is_paused(record))?;
        self.waiting.remove(place)
    }

    /// The waiting record that is due first, of those due by this time.
    pub(super) fn first_due(&self, by: SystemTime) -> Option<usize> {
        let due =
            |record: &Record| !self.is_paused(record) && record.not_before().is_none_or(|time| time <= by);
        let candidates = self.waiting.iter().enumerate().filter(|(_, record)| due(record));
        // Of several equal times the first is returned, which was enqueued first.
        let first = candidates.min_by_key(|(_, record)| record.due());
        first.map(|(place, _)| place)
    }

    /// The schedule that is due first, of those due by this time, and when.
    pub(super) fn first_schedule(&self, by: SystemTime) -> Option<(usize, SystemTime)> {
        let due = self.schedules.iter().enumerate();
        due.filter_map(|(place, time)| Some((place, (*time)?)))
            .filter(|(_, time)| *time <= by)
            .min_by_key(|(_, time)| *time)
    }
}
