//! How a backend in this process hands tasks and messages back to the runtime that it belongs to.

use std::sync::{Arc, Weak};

use crate::backend::queue_admin::QueueOperations;
use crate::backend::{Backend, BackendFuture};
use crate::base::{Clock, Envelope, Error, Publication, TaskMetadata};

/// Runs tasks and delivers messages in this process. The runtime implements it.
pub(crate) trait Delivery: Send + Sync {
    /// Runs one attempt of a task.
    fn run(self: Arc<Self>, envelope: &Envelope, metadata: TaskMetadata) -> BackendFuture<'_, ()>;

    /// Delivers a message to the subscribers of its topic.
    fn deliver<'a>(self: Arc<Self>, publication: &'a Publication, id: &'a str) -> BackendFuture<'a, ()>;
}

/// What a backend gets from its runtime when the runtime is built.
#[derive(Clone)]
pub(crate) struct Link {
    /// Weak, because the runtime owns its backend.
    delivery: Weak<dyn Delivery>,
    clock: Clock,
}

impl Link {
    pub(crate) fn new(delivery: Weak<dyn Delivery>, clock: Clock) -> Self {
        Self { delivery, clock }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Runs a task as if a queue had sent it for the first time.
    pub(crate) async fn run(&self, envelope: &Envelope, id: &str) -> Result<(), Error> {
        self.delivery()?.run(envelope, envelope.first_attempt(id)).await
    }

    pub(crate) async fn deliver(&self, publication: &Publication, id: &str) -> Result<(), Error> {
        self.delivery()?.deliver(publication, id).await
    }

    fn delivery(&self) -> Result<Arc<dyn Delivery>, Error> {
        let gone = || Error::unavailable("the runtime of this backend was dropped", false);
        self.delivery.upgrade().ok_or_else(gone)
    }
}

/// A backend, and what else it can do.
pub(crate) struct Connected {
    pub backend: Arc<dyn Backend>,
    /// `None` for a backend of the user's.
    pub queues: Option<Arc<dyn QueueOperations>>,
}

impl Connected {
    pub(crate) fn new(backend: impl Backend + QueueOperations) -> Self {
        let backend = Arc::new(backend);
        Self {
            backend: Arc::clone(&backend) as _,
            queues: Some(backend),
        }
    }
}

/// Makes the backend of a runtime that is about to exist.
pub(crate) type Connect = Box<dyn FnOnce(Link) -> Connected + Send>;
