//! The services behind a backend, for set-up and administration.

use std::sync::Arc;

use crate::backend::dead_letter_store::DeadLetterStore;
use crate::backend::google::{PubSubAccess, PubSubDeadLetters, QueueAccess, SchedulerAccess};

/// The services that set-up and administration call; `None` if the backend has none.
#[derive(Clone, Default)]
pub(crate) struct Services {
    pubsub: Option<PubSubAccess>,
    queues: Option<QueueAccess>,
    scheduler: Option<SchedulerAccess>,
    dead_letters: Option<Arc<dyn DeadLetterStore>>,
}

impl Services {
    pub fn new(
        pubsub: Option<PubSubAccess>,
        queues: QueueAccess,
        scheduler: Option<SchedulerAccess>,
    ) -> Self {
        let dead_letters = pubsub
            .clone()
            .map(|access| Arc::new(PubSubDeadLetters::new(access)) as _);
        Self {
            pubsub,
            queues: Some(queues),
            scheduler,
            dead_letters,
        }
    }

    /// Reads dead letters from this store if there is no Pub/Sub.
    #[cfg(feature = "local")]
    pub fn or_dead_letters(mut self, store: impl DeadLetterStore + 'static) -> Self {
        self.dead_letters.get_or_insert_with(|| Arc::new(store));
        self
    }

    pub fn pubsub(&self) -> Option<&PubSubAccess> {
        self.pubsub.as_ref()
    }

    /// Whether messages come from Google's Pub/Sub, and not from an emulator or a stand-in.
    pub fn has_google_pubsub(&self) -> bool {
        let access = self.pubsub.as_ref();
        access.is_some_and(|access| {
            let url = access.endpoint.as_deref();
            access.signer.is_some() && url.is_none_or(|url| url.starts_with("https://"))
        })
    }

    pub fn queues(&self) -> Option<&QueueAccess> {
        self.queues.as_ref()
    }

    pub fn scheduler(&self) -> Option<&SchedulerAccess> {
        self.scheduler.as_ref()
    }

    pub fn dead_letters(&self) -> Option<&dyn DeadLetterStore> {
        self.dead_letters.as_deref()
    }
}
