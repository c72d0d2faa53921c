//! The backend of a recorded runtime.

use std::sync::Arc;

use super::inline;
use super::state::{Shared, What};
use crate::backend::{Backend, BackendFuture, Link, run_nested};
use crate::base::{Enqueued, Envelope, Error, Publication, names};

/// The recorder as its runtime holds it. Its link is weak: a strong one would keep the runtime alive forever.
pub(crate) struct Recording {
    shared: Arc<Shared>,
    runtime: Link,
}

impl Recording {
    pub fn new(shared: Arc<Shared>, runtime: Link) -> Self {
        Self { shared, runtime }
    }

    pub fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Backend for Recording {
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
        Box::pin(async move {
            let id = envelope.id.clone().unwrap_or_else(names::random_task_id);
            let now = self.shared.time.now();
            let given = envelope.id.is_some();
            let duplicate = given && !self.shared.tasks().used_ids.reserve(envelope.queue(), &id, now);
            let mut enqueued = Enqueued::new(envelope.queue(), id.as_str());
            enqueued.schedule_time = envelope.schedule_time;
            if duplicate {
                return Ok(enqueued.into_duplicate());
            }
            let record = self.shared.record(id, What::Task(Box::new(envelope.clone())));
            if inline::is_on(&self.shared) {
                self.shared.tasks().done.push(record);
                let run = inline::inherit(self.runtime.run(&envelope, enqueued.id()));
                let outcome = run_nested(envelope.task(), run).await;
                if outcome.as_ref().err().is_none_or(Error::is_discarded) {
                    self.shared.end(envelope.queue(), enqueued.id());
                } else {
                    // As in eager mode: the caller may try again.
                    self.shared.tasks().used_ids.free(envelope.queue(), enqueued.id());
                }
                outcome?;
            } else {
                self.shared.tasks().waiting.push_back(record);
            }
            Ok(enqueued)
        })
    }

    fn publish(&self, publication: Publication) -> BackendFuture<'_, String> {
        Box::pin(async move {
            let id = names::random_task_id();
            let record = self.shared.record(id.clone(), What::Message(publication.clone()));
            if inline::is_on(&self.shared) {
                self.shared.tasks().done.push(record);
                let delivery = inline::inherit(self.runtime.deliver(&publication, &id));
                run_nested(publication.topic(), delivery).await?;
            } else {
                self.shared.tasks().waiting.push_back(record);
            }
            Ok(id)
        })
    }
}
