//! Everything in this process, at once.

use std::future::ready;

use crate::backend::operations::{Page, QueueOperations, View};
use crate::backend::{Backend, BackendFuture};
use crate::envelope::{Enqueued, Envelope};
use crate::names;
use crate::publication::Publication;
use crate::queued::{QueueInfo, QueueState, QueuedTask};
use crate::runtime::Runtime;

/// Runs a task when it is enqueued; its failure is the caller's.
pub(crate) struct Eager;

impl Backend for Eager {
    fn enqueue<'a>(&'a self, runtime: &'a Runtime, envelope: Envelope) -> BackendFuture<'a> {
        Box::pin(async move {
            let id = envelope.id.clone().unwrap_or_else(names::random_task_id);
            runtime.run_envelope(&envelope, &id).await?;
            let mut enqueued = Enqueued::new(envelope.queue, id);
            enqueued.schedule_time = envelope.schedule_time;
            Ok(enqueued)
        })
    }

    fn publish<'a>(&'a self, runtime: &'a Runtime, publication: Publication) -> BackendFuture<'a, String> {
        Box::pin(async move {
            let id = names::random_task_id();
            runtime.deliver(&publication, &id).await?;
            Ok(id)
        })
    }
}

/// Nothing ever waits here, so its queues are empty, and there are as many as are asked for.
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
