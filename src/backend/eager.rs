//! The eager backend, which runs everything in this process at once.

use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::backend::queue_admin::{Page, QueueOperations, View};
use crate::backend::used_ids::UsedIds;
use crate::backend::{Backend, BackendFuture, Link, run_nested};
use crate::base::{Clock, Enqueued, Envelope, Error, Publication, QueueInfo, QueueState, QueuedTask, names};

/// Runs a task when it is enqueued, and returns its failure to the caller.
pub(crate) struct Eager {
    runtime: Link,
    /// The ids that callers chose.
    used_ids: Mutex<UsedIds>,
}

impl Eager {
    pub fn new(runtime: Link) -> Self {
        Self {
            runtime,
            used_ids: Mutex::default(),
        }
    }

    /// Runs a task, unless its id is in use.
    async fn run(&self, envelope: Envelope) -> Result<Enqueued, Error> {
        let Some(id) = &envelope.id else {
            let id = names::random_task_id();
            run_nested(envelope.task(), self.runtime.run(&envelope, &id)).await?;
            return Ok(receipt(&envelope, id));
        };
        let clock = self.runtime.clock();
        let receipt = receipt(&envelope, id.as_str());
        if !self.used_ids().reserve(&envelope.queue, id, clock.now()) {
            return Ok(receipt.into_duplicate());
        }
        let mut holds = Holds {
            used_ids: &self.used_ids,
            envelope: &envelope,
            clock,
            ended: false,
        };
        let outcome = run_nested(envelope.task(), self.runtime.run(&envelope, id)).await;
        // A queue would retry a failed task; here the caller may do so.
        holds.ended = outcome.as_ref().err().is_none_or(Error::is_discarded);
        outcome.map(|()| receipt)
    }

    fn used_ids(&self) -> MutexGuard<'_, UsedIds> {
        lock(&self.used_ids)
    }
}

/// Reserves an id while its task runs. Dropping it before the end frees the id.
struct Holds<'a> {
    used_ids: &'a Mutex<UsedIds>,
    envelope: &'a Envelope,
    clock: &'a Clock,
    ended: bool,
}

impl Drop for Holds<'_> {
    fn drop(&mut self) {
        let (queue, id) = (
            &self.envelope.queue,
            self.envelope.id.as_deref().unwrap_or_default(),
        );
        let mut used_ids = lock(self.used_ids);
        if self.ended {
            used_ids.end(queue, id, self.clock.now());
        } else {
            used_ids.free(queue, id);
        }
    }
}

fn lock(used_ids: &Mutex<UsedIds>) -> MutexGuard<'_, UsedIds> {
    used_ids.lock().unwrap_or_else(PoisonError::into_inner)
}

fn receipt(envelope: &Envelope, id: impl Into<String>) -> Enqueued {
    let mut enqueued = Enqueued::new(envelope.queue(), id);
    enqueued.schedule_time = envelope.schedule_time;
    enqueued
}

impl Backend for Eager {
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
        Box::pin(self.run(envelope))
    }

    fn publish(&self, publication: Publication) -> BackendFuture<'_, String> {
        Box::pin(async move {
            let id = names::random_task_id();
            run_nested(publication.topic(), self.runtime.deliver(&publication, &id)).await?;
            Ok(id)
        })
    }
}

/// Nothing ever waits here, so every queue exists and is empty.
impl QueueOperations for Eager {
    fn get<'a>(
        &'a self,
        _queue: &'a str,
        _id: &'a str,
        _view: View,
    ) -> BackendFuture<'a, Option<QueuedTask>> {
        Box::pin(ready(Ok(None)))
    }

    fn page<'a>(
        &'a self,
        _queue: &'a str,
        _view: View,
        _size: u16,
        _from: Option<&'a str>,
    ) -> BackendFuture<'a, Page> {
        let tasks = Vec::new();
        Box::pin(ready(Ok(Page { tasks, next: None })))
    }

    fn delete<'a>(&'a self, _queue: &'a str, _id: &'a str) -> BackendFuture<'a, bool> {
        Box::pin(ready(Ok(false)))
    }

    fn run<'a>(&'a self, _queue: &'a str, _id: &'a str) -> BackendFuture<'a, bool> {
        Box::pin(ready(Ok(false)))
    }

    fn pause<'a>(&'a self, _queue: &'a str) -> BackendFuture<'a, ()> {
        Box::pin(ready(Ok(())))
    }

    fn resume<'a>(&'a self, _queue: &'a str) -> BackendFuture<'a, ()> {
        Box::pin(ready(Ok(())))
    }

    fn purge<'a>(&'a self, _queue: &'a str) -> BackendFuture<'a, ()> {
        Box::pin(ready(Ok(())))
    }

    fn info<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, QueueInfo> {
        Box::pin(ready(Ok(QueueInfo::new(queue, QueueState::Running))))
    }
}
