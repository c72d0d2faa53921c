//! Connecting to Google Cloud with the settings.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use google_cloud_auth::credentials::{Credentials, anonymous};
use tokio::sync::Semaphore;

use crate::backend::google::access::{ATTEMPT_TIMEOUT, PubSubAccess, QueueAccess, SchedulerAccess};
use crate::backend::google::backup_queue::Backup;
use crate::backend::google::call_limit::CallLimit;
use crate::backend::google::convert::TaskFactory;
use crate::backend::google::create_task::GoogleBackend;
use crate::backend::google::credentials;
use crate::backend::google::official_client::{self, OfficialClient};
use crate::backend::google::publish::PubSub;
use crate::backend::google::rest_client::RestClient;
use crate::backend::google::transport::{Authorization, Protocol, Transport};
use crate::backend::{Connected, Services};
use crate::base::http_client::{Connections, HttpClient};
use crate::base::limits::INDEFINITELY;
use crate::base::text::error_chain;
use crate::base::{Config, Invalid, uncallable_endpoint};
use crate::registry::Role;

/// The configuration of the clients for Google Cloud Tasks and Pub/Sub.
///
/// By default the credentials are those of `GOOGLE_APPLICATION_CREDENTIALS` (the key of a service account, or the login of a
/// user), of `gcloud auth application-default login`, of the metadata server, or of `gcloud`, in this order. Workload identity
/// federation and impersonation are not among them; for these, pass credentials of `google-cloud-auth`.
///
/// ```standalone_crate
/// use std::time::Duration;
/// use cloud_tasks::backend::Google;
/// use cloud_tasks::{Config, Runtime};
/// use google_cloud_auth::credentials::anonymous;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let google = Google::new()
///     .credentials(anonymous::Builder::new().build())
///     .calls_in_flight(16)
///     .max_wait(Duration::from_secs(30))
///     .attempt_timeout(Duration::from_secs(5));
/// let config = Config::default()
///     .with_endpoint("https://shop.example")
///     .with_project("my-project")
///     .with_location("europe-west1")
///     .with_service_account("tasks@my-project.iam.gserviceaccount.com");
/// let runtime = Runtime::builder().config(config).google(google).build().await?;
/// # let _ = runtime;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Google {
    credentials: Option<Credentials>,
    api_endpoint: Option<String>,
    pubsub_endpoint: Option<String>,
    scheduler_endpoint: Option<String>,
    calls_in_flight: usize,
    protocol: Protocol,
    max_wait: Duration,
    attempt_timeout: Duration,
}

impl Default for Google {
    fn default() -> Self {
        Self {
            credentials: None,
            api_endpoint: None,
            pubsub_endpoint: None,
            scheduler_endpoint: None,
            calls_in_flight: 32,
            protocol: Protocol::default(),
            max_wait: Duration::from_secs(60),
            attempt_timeout: ATTEMPT_TIMEOUT,
        }
    }
}

impl Google {
    /// The default configuration: discovered credentials, Google's endpoints, 32 calls in flight, at most 60 seconds of
    /// waiting for one of them, 10 seconds per attempt.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses these credentials; the settings must then name the [account](Config::service_account) that tasks are signed as.
    ///
    /// An emulator of the settings is always called without credentials.
    pub fn credentials(mut self, credentials: impl Into<Credentials>) -> Self {
        self.credentials = Some(credentials.into());
        self
    }

    /// Sets the URL of Cloud Tasks, such as that of a private service endpoint.
    pub fn api_endpoint(mut self, url: impl Into<String>) -> Self {
        self.api_endpoint = Some(url.into());
        self
    }

    /// Sets the URL of Pub/Sub, such as that of a region, which ordering keys across machines need.
    ///
    /// An emulator in the settings takes precedence.
    pub fn pubsub_endpoint(mut self, url: impl Into<String>) -> Self {
        self.pubsub_endpoint = Some(url.into());
        self
    }

    /// Sets the URL of Cloud Scheduler, such as that of a private service endpoint.
    pub fn scheduler_endpoint(mut self, url: impl Into<String>) -> Self {
        self.scheduler_endpoint = Some(url.into());
        self
    }

    /// Sets the maximum number of calls in flight; default 32, at least 1. Further calls wait, but not longer than
    /// [`max_wait`](Self::max_wait).
    ///
    /// Each call uses a connection, which is kept for the next one. Creating and deleting tasks never opens more connections
    /// than this.
    ///
    /// Through a proxy (`HTTPS_PROXY`, or that of the system), Google's client makes all calls. With several threads there can
    /// then briefly be one more connection, because it returns a connection to its pool shortly after the call has ended.
    pub fn calls_in_flight(mut self, calls: usize) -> Self {
        self.calls_in_flight = calls.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// Creates and deletes tasks over one HTTP/2 connection, instead of a connection for each call in flight.
    ///
    /// It costs more CPU time per task than HTTP/1.1, the default. Without TLS, the server must speak HTTP/2 from the first byte;
    /// with TLS, one that does not is called with HTTP/1.1. It has no effect through a proxy.
    pub fn http2(mut self) -> Self {
        self.protocol = Protocol::Http2;
        self
    }

    /// Sets how long an enqueue waits for its calls while [all connections](Self::calls_in_flight) are in use; default 60
    /// seconds.
    ///
    /// All waits of one enqueue count together. The [deadline](crate::backend::RetrySettings::deadline) of its retries does
    /// not count them. After that the enqueue fails; its error says for how long it waited, and whether anything was sent.
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = wait;
        self
    }

    /// Sets the timeout of one attempt of a call, also of publishing and of reading dead tasks; default 10 seconds.
    ///
    /// It includes fetching an access token, which may take three quarters of it. A call waits for its token before it takes
    /// one of the [connections](Self::calls_in_flight).
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        // A later end is not in the range of an instant.
        self.attempt_timeout = timeout.min(INDEFINITELY);
        self
    }

    /// Connects to the services that the settings name.
    pub(crate) async fn open(
        self,
        config: &mut Config,
        role: Role,
    ) -> Result<(Connected, Services), Vec<Invalid>> {
        let backend = self.connect(config, role).await?;
        let services = backend.services();
        Ok((Connected::new(backend), services))
    }

    /// Resolves the settings that are not set, and stores them.
    pub(crate) async fn connect(
        self,
        config: &mut Config,
        role: Role,
    ) -> Result<GoogleBackend, Vec<Invalid>> {
        let emulator = config.cloud_tasks_emulator_host().map(str::to_owned);
        let api_endpoint = self
            .api_endpoint
            .or_else(|| emulator.as_ref().map(|host| format!("http://{host}")));
        let mut errors = Vec::new();
        let credentials = if emulator.is_some() {
            *config = with_local_names(config.clone());
            // Even if the code passed some: an emulator is called without encryption, and checks nothing.
            Some(anonymous::Builder::new().build())
        } else {
            credentials::find(self.credentials, config)
                .await
                .map_err(|reason| errors.push(Invalid::because(reason)))
                .ok()
                .map(|found| credentials::bounded(found, self.attempt_timeout))
        };
        if api_endpoint.is_none() {
            // What only enqueues may have no tasks that come back.
            errors.extend(uncallable_endpoint(config).filter(|_| role == Role::Runs));
            errors.extend(config.uncallable_services());
        }
        let target = TaskFactory::new(config)
            .map_err(|missing| errors.extend(missing))
            .ok();
        let (Some(credentials), Some(target), true) = (credentials, target, errors.is_empty()) else {
            return Err(errors);
        };
        let attempt_timeout = self.attempt_timeout;
        let emulated = PubSubAccess::emulator(config).map(|access| PubSubAccess {
            attempt_timeout,
            ..access
        });
        let pubsub = emulated.or_else(|| {
            emulator.is_none().then(|| PubSubAccess {
                attempt_timeout,
                endpoint: self.pubsub_endpoint,
                credentials: credentials.clone(),
                project: config.project().unwrap_or_default().to_owned(),
                signer: config.service_account().map(str::to_owned),
            })
        });
        let scheduler = emulator.is_none().then(|| SchedulerAccess {
            endpoint: self.scheduler_endpoint,
            credentials: credentials.clone(),
            location: target.location().to_owned(),
            account: target.service_account().to_owned(),
            audience: config.base_url().to_owned(),
        });
        let queues = QueueAccess {
            endpoint: api_endpoint.clone(),
            credentials: credentials.clone(),
            location: target.location().to_owned(),
        };
        let emulator_client = emulator.and(api_endpoint.as_ref()).map(|url| {
            let http = HttpClient::plain(Connections::Closed).timeout(self.attempt_timeout);
            let url = url.trim_end_matches('/');
            let client =
                |version| RestClient::new(http.clone(), &format!("{url}/{version}"), credentials.clone());
            (client("v2"), client("v1"))
        });
        let (emulator_client, engine_client) = emulator_client.unzip();
        let unbuilt = |error: &(dyn StdError + 'static)| {
            vec![Invalid::because(format!(
                "the Google Cloud Tasks client could not be built: {}",
                error_chain(error)
            ))]
        };
        let universe = official_client::universe(&credentials)
            .await
            .map_err(|error| unbuilt(&error))?;
        let transport = Transport::new(
            api_endpoint.as_deref(),
            &universe,
            self.protocol,
            self.calls_in_flight,
        );
        let transport = transport.map_err(|error| unbuilt(&error))?;
        let headers = transport.as_ref().map(Transport::headers).unwrap_or_default();
        let client = OfficialClient::new(api_endpoint, credentials.clone(), self.attempt_timeout);
        if transport.is_none() {
            client.build().await.map_err(|error| unbuilt(&error))?;
        }
        Ok(GoogleBackend {
            transport,
            client,
            target,
            queues,
            emulator_client,
            engine_client,
            scheduler,
            calls: CallLimit::new(self.calls_in_flight, self.max_wait),
            authorization: Authorization::new(credentials, headers),
            attempt_timeout: self.attempt_timeout,
            retry: config.enqueue_retry(),
            backup: Backup::new(config),
            pubsub: pubsub.map(|access| PubSub::new(access, config.enqueue_retry(), self.attempt_timeout)),
        })
    }
}

/// Names what the settings leave open: an emulator accepts any project, region and account, but it needs one in its paths.
fn with_local_names(mut config: Config) -> Config {
    if config.project().is_none() {
        config = config.with_project("local");
    }
    if config.location().is_none() {
        config = config.with_location("local");
    }
    if config.service_account().is_none() {
        config = config.with_service_account("local@local.iam.gserviceaccount.com");
    }
    config
}

impl fmt::Debug for Google {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Google")
            .field("api_endpoint", &self.api_endpoint)
            .field("pubsub_endpoint", &self.pubsub_endpoint)
            .field("scheduler_endpoint", &self.scheduler_endpoint)
            .field("calls_in_flight", &self.calls_in_flight)
            .field("protocol", &self.protocol)
            .field("max_wait", &self.max_wait)
            .field("attempt_timeout", &self.attempt_timeout)
            .finish_non_exhaustive()
    }
}
