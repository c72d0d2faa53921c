//! The interface through which a backend in this process runs tasks and delivers messages.

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

/// What the builder gives to a backend.
#[derive(Clone)]
pub(crate) struct Link {
    /// Weak, because the runtime owns its backend.
    delivery: Weak<dyn Delivery>,
    clock: Clock,
}

impl Link {
    pub fn new(delivery: Weak<dyn Delivery>, clock: Clock) -> Self {
        Self { delivery, clock }
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Runs a task, as the first attempt of a queue. The future owns what it needs.
    pub fn run(
        &self,
        envelope: &Envelope,
        id: &str,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let delivery = self.delivery();
        let metadata = envelope.first_attempt(id);
        let envelope = envelope.clone();
        async move { delivery?.run(&envelope, metadata).await }
    }

    /// Delivers a message. The future owns what it needs.
    pub fn deliver(
        &self,
        publication: &Publication,
        id: &str,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let delivery = self.delivery();
        let (publication, id) = (publication.clone(), id.to_owned());
        async move { delivery?.deliver(&publication, &id).await }
    }

    fn delivery(&self) -> Result<Arc<dyn Delivery>, Error> {
        let gone = || Error::unreachable("the runtime of this backend was dropped");
        self.delivery.upgrade().ok_or_else(gone)
    }
}

/// A connected backend, with its optional services.
pub(crate) struct Connected {
    pub backend: Arc<dyn Backend>,
    /// `None` for a backend of the user.
    pub queues: Option<Arc<dyn QueueOperations>>,
}

impl Connected {
    pub fn new(backend: impl Backend + QueueOperations) -> Self {
        let backend = Arc::new(backend);
        Self {
            backend: Arc::clone(&backend) as _,
            queues: Some(backend),
        }
    }
}

/// Connects the backend of a runtime under construction.
pub(crate) type Connect = Box<dyn FnOnce(Link) -> Connected + Send>;
