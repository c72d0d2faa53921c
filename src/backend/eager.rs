//! Everything in this process, at once.

use crate::backend::{Backend, BackendFuture};
use crate::envelope::{Enqueued, Envelope};
use crate::names;
use crate::publication::Publication;
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
