//! The services behind a backend, for set-up and administration.

use std::sync::Arc;

use http::Extensions;

use crate::backend::dead_letter_store::DeadLetterStore;
use crate::backend::google::{PubSubAccess, PubSubDeadLetters, QueueAccess, SchedulerAccess};
#[cfg(feature = "local")]
use crate::backend::local::Instance;
#[cfg(all(feature = "cli", feature = "local"))]
use crate::base::Error;
use crate::base::text::error_chain;

/// The services that set-up and administration call; `None` if the backend has none.
#[derive(Clone, Default)]
pub(crate) struct Services {
    pubsub: Option<PubSubAccess>,
    queues: Option<QueueAccess>,
    scheduler: Option<SchedulerAccess>,
    dead_letters: Option<Arc<dyn DeadLetterStore>>,
    #[cfg(feature = "local")]
    local_engine: Option<Arc<Instance>>,
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
            #[cfg(feature = "local")]
            local_engine: None,
        }
    }

    /// Fetches the first access token, before a call needs it. `None` if Cloud Tasks is called without TLS: then it is an
    /// emulator or a stand-in of a test.
    pub fn prefetch_token(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        let queues = self.queues.as_ref()?;
        let url = queues.endpoint.as_deref();
        let is_google = url.is_none_or(|url| url.starts_with("https://"));
        let credentials = is_google.then(|| queues.credentials.clone())?;
        Some(async move {
            if let Err(error) = credentials.headers(Extensions::new()).await {
                tracing::debug!(error = %error_chain(&error), "no access token came while the runtime was built");
            }
        })
    }

    /// Reads dead letters from this store if there is no Pub/Sub.
    #[cfg(feature = "local")]
    pub fn or_dead_letters(mut self, store: impl DeadLetterStore + 'static) -> Self {
        self.dead_letters.get_or_insert_with(|| Arc::new(store));
        self
    }

    /// Queues are those of this engine, or of the one that it finds for a command.
    #[cfg(feature = "local")]
    pub fn with_local_engine(mut self, engine: Arc<Instance>) -> Self {
        self.local_engine = Some(engine);
        self
    }

    /// This process serves tasks.
    #[cfg(feature = "local")]
    pub fn mark_serving(&self) {
        if let Some(engine) = &self.local_engine {
            engine.mark_serving();
        }
    }

    /// Finds the local engine that a command is for, if tasks go to one.
    #[cfg(all(feature = "cli", feature = "local"))]
    pub async fn find_local_engine(&self) -> Result<(), Error> {
        match &self.local_engine {
            Some(engine) => engine.find().await,
            None => Ok(()),
        }
    }

    /// The URL of the local engine that commands act on.
    #[cfg(feature = "local")]
    pub fn local_engine(&self) -> Option<String> {
        self.local_engine.as_ref().map(|engine| engine.url())
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
        #[cfg(feature = "local")]
        if let Some(other) = self.local_engine.as_ref().and_then(|engine| engine.other()) {
            return Some(&other.queues);
        }
        self.queues.as_ref()
    }

    pub fn scheduler(&self) -> Option<&SchedulerAccess> {
        self.scheduler.as_ref()
    }

    pub fn dead_letters(&self) -> Option<&dyn DeadLetterStore> {
        #[cfg(feature = "local")]
        if let Some(engine) = self.local_engine.as_ref().filter(|_| self.pubsub.is_none())
            && let Some(letters) = engine.other_dead_letters()
        {
            return Some(letters);
        }
        self.dead_letters.as_deref()
    }
}
