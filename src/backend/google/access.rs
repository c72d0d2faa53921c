//! How the clients reach Google Cloud: endpoint, credentials and project.

use std::fmt;
use std::time::Duration;

use google_cloud_auth::credentials::{Credentials, anonymous};

use crate::base::{Config, names::pubsub_path};

/// The time limit of one call, unless it is set.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a client of Cloud Tasks needs.
#[derive(Clone)]
pub(crate) struct QueueAccess {
    /// Overrides Google's URL.
    pub endpoint: Option<String>,
    pub credentials: Credentials,
    /// `projects/P/locations/L`.
    pub location: String,
}

/// What a client of Cloud Scheduler needs.
#[derive(Clone)]
pub(crate) struct SchedulerAccess {
    /// Overrides Google's URL.
    pub endpoint: Option<String>,
    pub credentials: Credentials,
    /// `projects/P/locations/L`.
    pub location: String,
    /// The account that signs requests, and their audience.
    pub account: String,
    pub audience: String,
}

/// What a client of Pub/Sub needs. Creating it makes no call.
#[derive(Clone)]
pub(crate) struct PubSubAccess {
    /// Overrides Google's URL.
    pub endpoint: Option<String>,
    pub credentials: Credentials,
    pub project: String,
    /// The account that signs pushes; an emulator signs none.
    pub signer: Option<String>,
    /// The time limit of one call that reads dead tasks.
    pub attempt_timeout: Duration,
}

impl PubSubAccess {
    /// The access to the emulator of the settings, if they name one.
    pub fn emulator(config: &Config) -> Option<Self> {
        let host = config.pubsub_emulator_host()?;
        Some(Self {
            endpoint: Some(format!("http://{host}")),
            credentials: anonymous::Builder::new().build(),
            project: config.project().unwrap_or("local").to_owned(),
            signer: None,
            attempt_timeout: ATTEMPT_TIMEOUT,
        })
    }

    /// The full path of a topic, from its name or its full path.
    pub fn topic(&self, name: &str) -> String {
        self.path("topics", name)
    }

    /// The full path of a subscription, from its name or its full path.
    pub fn subscription(&self, name: &str) -> String {
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
