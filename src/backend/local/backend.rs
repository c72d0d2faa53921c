//! The backend of a runtime with a local engine.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::backend::google::{Call, GoogleBackend, Operation, QueueAccess, is_blocked};
use crate::backend::local::instance::Instance;
use crate::backend::local::pubsub::PubSub;
use crate::backend::{Backend, BackendFuture};
use crate::base::{Envelope, Error, Publication};

/// Creates tasks and their queues in the local engine, and publishes to the subscriptions of the runtime.
pub(crate) struct LocalBackend {
    pub google: GoogleBackend,
    queues: Mutex<HashSet<String>>,
    /// Which engine the queue operations are for.
    instance: Arc<Instance>,
    /// `None` if the settings name a Pub/Sub emulator, which then receives the messages.
    pubsub: Option<Arc<PubSub>>,
    /// The engine's tokio runtime. When it ends, everything that runs there ends.
    engine: Handle,
}

impl LocalBackend {
    pub fn new(
        mut google: GoogleBackend,
        pubsub: Option<Arc<PubSub>>,
        engine: Handle,
        instance: Arc<Instance>,
    ) -> Self {
        google.backup.makes_every_queue = true;
        Self {
            google,
            queues: Mutex::default(),
            instance,
            pubsub,
            engine,
        }
    }

    /// The engine that queue operations, and the tasks of a command, are for.
    pub fn target(&self) -> &GoogleBackend {
        self.instance.other().unwrap_or(&self.google)
    }

    pub fn queue_access(&self) -> QueueAccess {
        self.google.queues.clone()
    }

    /// Creates a queue once. A blocked name is left to the backup queue.
    pub async fn make_queue(&self, queue: &str) -> Result<(), Error> {
        let mut made = self.queues.lock().await;
        if made.contains(queue) {
            return Ok(());
        }
        match self.target().make_queue(queue).await {
            Err(error) if !is_blocked(&error) => {
                let path = self.google.target.queue(queue);
                return Err(Call::new(Operation::ChangeResource, &path, "created")
                    .subject(format!("the queue {queue}"))
                    .failed(error));
            }
            _ => made.insert(queue.to_owned()),
        };
        Ok(())
    }
}

impl Backend for LocalBackend {
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
        if self.instance.other().is_none() {
            self.instance.mark_used();
        }
        Box::pin(async move {
            self.make_queue(envelope.queue()).await?;
            self.target().create(envelope).await
        })
    }

    fn publish(&self, publication: Publication) -> BackendFuture<'_, String> {
        let Some(pubsub) = &self.pubsub else {
            return self.google.publish(publication);
        };
        self.instance.mark_used();
        let pubsub = Arc::clone(pubsub);
        let published = self
            .engine
            .spawn(async move { pubsub.publish(&publication).await });
        Box::pin(async move {
            published
                .await
                .unwrap_or_else(|_| Err(Error::unavailable("the local engine has stopped")))
        })
    }

    fn flush(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.google.flush()
    }
}
