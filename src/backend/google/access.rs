//! How Pub/Sub is reached: where, as whom, in which project.

use std::fmt;

use google_cloud_auth::credentials::{Credentials, anonymous};

use crate::base::{Config, names::pubsub_path};

/// What a client of queues is made with.
#[derive(Clone)]
pub(crate) struct QueueAccess {
    /// Another URL than Google's.
    pub endpoint: Option<String>,
    pub credentials: Credentials,
    /// `projects/P/locations/L`.
    pub location: String,
}

/// What a client of Cloud Scheduler is made with.
#[derive(Clone)]
pub(crate) struct SchedulerAccess {
    /// Another URL than Google's.
    pub endpoint: Option<String>,
    pub credentials: Credentials,
    /// `projects/P/locations/L`.
    pub location: String,
    /// Whom requests are signed as, and for whom.
    pub account: String,
    pub audience: String,
}

/// What every client of Pub/Sub is made with; making it calls nobody.
#[derive(Clone)]
pub(crate) struct PubSubAccess {
    /// Another URL than Google's.
    pub endpoint: Option<String>,
    pub credentials: Credentials,
    pub project: String,
    /// The account that pushes are signed as; an emulator signs none.
    pub signer: Option<String>,
}

impl PubSubAccess {
    /// The way to the emulator of the settings, where they name one.
    pub(crate) fn emulator(config: &Config) -> Option<Self> {
        let host = config.pubsub_emulator_host.as_ref()?;
        Some(Self {
            endpoint: Some(format!("http://{host}")),
            credentials: anonymous::Builder::new().build(),
            project: config.project.clone().unwrap_or_else(|| "local".to_owned()),
            signer: None,
        })
    }

    /// The full path of a topic, given its name or that path.
    pub(crate) fn topic(&self, name: &str) -> String {
        self.path("topics", name)
    }

    /// The full path of a subscription, given its name or that path.
    pub(crate) fn subscription(&self, name: &str) -> String {
        self.path("subscriptions", name)
    }

    fn path(&self, collection: &str, name: &str) -> String {
        pubsub_path(&self.project, collection, name).into_owned()
    }
}

impl fmt::Debug for PubSubAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSubAccess")
            .field("endpoint", &self.endpoint)
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}
