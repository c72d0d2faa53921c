//! The backend of a simulation: the real one, with a server in this process.

use std::time::Duration;

use google_cloud_auth::credentials::anonymous;

use crate::backend::google::access::{ATTEMPT_TIMEOUT, QueueAccess};
use crate::backend::google::backup_queue::Backup;
use crate::backend::google::call_limit::CallLimit;
use crate::backend::google::convert::TaskFactory;
use crate::backend::google::create_task::GoogleBackend;
use crate::backend::google::official_client::OfficialClient;
use crate::backend::google::transport::{Authorization, Transport};
use crate::base::http_client::Server;
use crate::base::{Config, Enqueued, Envelope, Error, Invalid};

/// Where the server is said to be. Nothing is resolved or connected.
const URL: &str = "http://cloudtasks.simulated";
/// As by default.
const CALLS: usize = 32;
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Creates tasks as in production, at a server of a simulation.
pub(crate) struct SimulatedGoogle(GoogleBackend);

impl SimulatedGoogle {
    /// Tasks are created with these settings, which name the project, the region and the account.
    pub fn new(config: &Config, server: Server) -> Result<Self, Vec<Invalid>> {
        let credentials = anonymous::Builder::new().build();
        let transport = Transport::simulated(server, CALLS);
        let transport = transport.map_err(|error| vec![Invalid::because(error.to_string())])?;
        let target = TaskFactory::new(config)?;
        let queues = QueueAccess {
            endpoint: Some(URL.to_owned()),
            credentials: credentials.clone(),
            location: target.location().to_owned(),
        };
        let headers = transport.headers();
        Ok(Self(GoogleBackend {
            client: OfficialClient::new(Some(URL.to_owned()), credentials.clone(), ATTEMPT_TIMEOUT),
            transport: Some(transport),
            target,
            queues,
            emulator_client: None,
            engine_client: None,
            scheduler: None,
            calls: CallLimit::new(CALLS, MAX_WAIT),
            authorization: Authorization::new(credentials, headers),
            attempt_timeout: ATTEMPT_TIMEOUT,
            retry: config.enqueue_retry(),
            backup: Backup::new(config),
            pubsub: None,
        }))
    }

    /// Creates a task, with retries until the outcome is certain.
    pub async fn create(&self, envelope: Envelope) -> Result<Enqueued, Error> {
        self.0.create(envelope).await
    }
}
