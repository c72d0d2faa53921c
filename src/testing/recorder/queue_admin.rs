//! Queue operations on recorded tasks.

use std::collections::VecDeque;
use std::future::ready;

use super::backend::Recording;
use super::state::{Record, Shared};
use crate::backend::{BackendFuture, Page, QueueOperations, View};
use crate::base::{QueueInfo, QueueState, QueuedTask, QueuedTaskParts};

impl Recording {
    /// Responds immediately with the result of a function.
    fn with_shared<'a, T: Send + 'a>(&self, find: impl FnOnce(&Shared) -> T) -> BackendFuture<'a, T> {
        Box::pin(ready(Ok(find(self.shared()))))
    }
}

impl QueueOperations for Recording {
    fn get<'a>(&'a self, queue: &'a str, id: &'a str, view: View) -> BackendFuture<'a, Option<QueuedTask>> {
        self.with_shared(|shared| {
            let tasks = shared.tasks();
            let mut waiting = tasks.waiting.iter();
            waiting
                .find(|record| record.is(queue, id))
                .and_then(|record| queued(record, view))
        })
    }

    /// All on one page, since all are in memory.
    fn page<'a>(
        &'a self,
        queue: &'a str,
        view: View,
        _size: u16,
        _from: Option<&'a str>,
    ) -> BackendFuture<'a, Page> {
        self.with_shared(|shared| {
            let tasks = shared.tasks();
            let of_queue = tasks.waiting.iter().filter(|record| record.is_of(queue));
            Page {
                tasks: of_queue.filter_map(|record| queued(record, view)).collect(),
                next: None,
            }
        })
    }

    fn delete<'a>(&'a self, queue: &'a str, id: &'a str) -> BackendFuture<'a, bool> {
        self.with_shared(|shared| take_away(shared, |record| record.is(queue, id)) > 0)
    }

    /// Makes the task due; a drain then runs it.
    fn run<'a>(&'a self, queue: &'a str, id: &'a str) -> BackendFuture<'a, bool> {
        self.with_shared(|shared| {
            let now = shared.time.now();
            let mut tasks = shared.tasks();
            let found = tasks.waiting.iter_mut().find(|record| record.is(queue, id));
            found.map(|record| record.paused_until = Some(now)).is_some()
        })
    }

    fn pause<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()> {
        self.with_shared(|shared| {
            shared.tasks().paused.insert(queue.to_owned());
        })
    }

    fn resume<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()> {
        self.with_shared(|shared| {
            shared.tasks().paused.remove(queue);
        })
    }

    fn purge<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()> {
        self.with_shared(|shared| {
            take_away(shared, |record| record.is_of(queue));
        })
    }

    fn info<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, QueueInfo> {
        self.with_shared(|shared| {
            let state = if shared.tasks().paused.contains(queue) {
                QueueState::Paused
            } else {
                QueueState::Running
            };
            QueueInfo::new(queue, state)
        })
    }
}

/// Removes tasks, and returns their number. Their ids stay blocked for a while, as on Google Cloud.
fn take_away(shared: &Shared, which: impl Fn(&Record) -> bool) -> usize {
    let now = shared.time.now();
    let mut tasks = shared.tasks();
    let all = std::mem::take(&mut tasks.waiting).into_iter();
    let (gone, waiting): (VecDeque<_>, _) = all.partition(which);
    tasks.waiting = waiting;
    for record in &gone {
        if let Some(envelope) = record.envelope() {
            tasks.used_ids.end(envelope.queue(), &record.id, now);
        }
    }
    gone.len()
}

/// A recorded task as a queue returns it; `None` for a message.
fn queued(record: &Record, view: View) -> Option<QueuedTask> {
    let envelope = record.envelope()?;
    Some(QueuedTask::new(QueuedTaskParts {
        id: record.id.clone(),
        queue: envelope.queue.clone(),
        url: envelope.url.clone(),
        headers: envelope.headers.clone(),
        body: (view == View::Full).then(|| envelope.body.clone()),
        schedule_time: Some(record.due()),
        create_time: Some(record.recorded_at),
        timeout: envelope.timeout,
        attempts: record.retries,
        responses: record.retries,
        last_attempt: None,
        max_attempts: None,
    }))
}
