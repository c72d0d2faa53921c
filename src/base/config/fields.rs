//! Setters and getters of the settings.

use std::sync::Arc;
use std::time::Duration;

use super::{Config, HeaderPlacement, RetrySettings, RunMode, ServiceEndpoint};
#[cfg(feature = "google")]
use super::{Invalid, is_https, service_variable};

impl Config {
    /// Sets the base URL of this service, which Cloud Tasks calls. It may have a path.
    pub fn with_endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = url.into();
        self
    }

    /// Sets the application's name: the default queue, and the prefix of topics, subscriptions and schedules.
    pub fn with_app_name(mut self, name: impl Into<String>) -> Self {
        self.app_name = Some(name.into());
        self
    }

    /// Sets the delimiter between the application's name and a resource's name.
    pub fn with_delimiter(mut self, delimiter: impl Into<String>) -> Self {
        self.delimiter = delimiter.into();
        self
    }

    /// Sets where the tasks of [`Runtime::builder`](crate::Runtime::builder) go; the other modes of a runtime ignore it.
    pub fn with_mode(mut self, mode: RunMode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets how far ahead a task may be scheduled; Cloud Tasks accepts at most 30 days.
    pub fn with_maximum_eta(mut self, maximum: Duration) -> Self {
        self.maximum_eta = Some(maximum);
        self
    }

    /// Sets the queue that receives the tasks of a queue whose name is blocked; see the [backup queue
    /// guide](crate::guide::backup_queue).
    pub fn with_backup_queue_name(mut self, name: impl Into<String>) -> Self {
        self.backup_queue_name = Some(name.into());
        self
    }

    /// Sets the headers that propagate from a request to what it enqueues, instead of `traceparent`. Names are
    /// case-insensitive.
    ///
    /// `build()` rejects the headers that [`Enqueue::header`](crate::task::Enqueue::header) rejects, and those of a
    /// body. A value that is empty, not printable or longer than 8 KiB is left out, and so is everything beyond 16 KiB
    /// in all.
    pub fn with_propagated_headers<H: Into<String>>(mut self, names: impl IntoIterator<Item = H>) -> Self {
        self.propagated_headers = names.into_iter().map(Into::into).collect();
        self
    }

    /// Adds headers to propagate, in addition to `traceparent`.
    ///
    /// ```
    /// use cloud_tasks::Config;
    ///
    /// let config = Config::default().with_added_propagated_headers(["baggage"]);
    /// assert_eq!(config, Config::default().with_propagated_headers(["traceparent", "baggage"]));
    /// ```
    pub fn with_added_propagated_headers<H: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = H>,
    ) -> Self {
        self.propagated_headers.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets the field of a message's content that holds the propagated headers.
    pub fn with_propagated_headers_key(mut self, key: impl Into<String>) -> Self {
        self.propagated_headers_key = key.into();
        self
    }

    /// Sets where propagated headers travel in a message; a publisher's own
    /// [`HEADERS`](crate::PublisherTask::HEADERS) comes first.
    pub fn with_header_placement(mut self, placement: HeaderPlacement) -> Self {
        self.header_placement = placement;
        self
    }

    /// Sets how often a message is delivered before it goes to the dead-letter topic.
    pub fn with_subscriber_max_retries(mut self, retries: u32) -> Self {
        self.subscriber_max_retries = Some(retries);
        self
    }

    /// Sets the shortest backoff before a message is redelivered.
    pub fn with_subscriber_min_backoff(mut self, backoff: Duration) -> Self {
        self.subscriber_min_backoff = Some(backoff);
        self
    }

    /// Sets the longest backoff before a message is redelivered.
    pub fn with_subscriber_max_backoff(mut self, backoff: Duration) -> Self {
        self.subscriber_max_backoff = Some(backoff);
        self
    }

    /// Sets how long a subscription is kept without activity.
    pub fn with_subscriber_expiration(mut self, expiration: Duration) -> Self {
        self.subscriber_expiration = Some(expiration);
        self
    }

    /// Sets the retry policy of an enqueue without a clear response.
    pub fn with_enqueue_retry(mut self, settings: RetrySettings) -> Self {
        self.enqueue_retry = settings;
        self
    }

    /// Sets the Google Cloud project.
    pub fn with_project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// Sets the region of Cloud Tasks and Cloud Scheduler, such as `europe-west1`.
    pub fn with_location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// Sets the e-mail address of the service account that signs tasks and pushes.
    pub fn with_service_account(mut self, email: impl Into<String>) -> Self {
        self.service_account = Some(email.into());
        self
    }

    /// Sets a Pub/Sub emulator to use instead of Google Cloud, as `host:port`.
    pub fn with_pubsub_emulator_host(mut self, host: impl Into<String>) -> Self {
        self.pubsub_emulator_host = Some(host.into());
        self
    }

    /// Sets a Cloud Tasks emulator to use instead of Google Cloud, as `host:port`.
    pub fn with_cloud_tasks_emulator_host(mut self, host: impl Into<String>) -> Self {
        self.cloud_tasks_emulator_host = Some(host.into());
        self
    }

    /// Sets the loopback port of the local engine, for example for a firewall or for `gcloud`; by default it is a free one.
    ///
    /// If another engine listens there, as during a command, this one takes a free port.
    pub fn with_local_engine_port(mut self, port: u16) -> Self {
        self.local_engine_port = Some(port);
        self
    }

    /// Sets where another service runs its tasks; replaces an earlier one of the same name.
    ///
    /// The name is the option `service` of the tasks: lower-case letters, digits and `-`.
    pub fn with_service(mut self, name: impl Into<String>, endpoint: ServiceEndpoint) -> Self {
        self.services.insert(name.into(), Arc::new(endpoint));
        self
    }

    /// The base URL of this service, which Cloud Tasks calls.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The application's name, if it has one.
    pub fn app_name(&self) -> Option<&str> {
        self.app_name.as_deref()
    }

    /// The delimiter between the application's name and a resource's name.
    pub fn delimiter(&self) -> &str {
        &self.delimiter
    }

    /// Where the tasks of [`Runtime::builder`](crate::Runtime::builder) go.
    pub fn mode(&self) -> RunMode {
        self.mode
    }

    /// How far ahead a task may be scheduled, if it is less than Cloud Tasks accepts.
    pub fn maximum_eta(&self) -> Option<Duration> {
        self.maximum_eta
    }

    /// The backup queue, if it is not named after the queue that it stands in for.
    pub fn backup_queue_name(&self) -> Option<&str> {
        self.backup_queue_name.as_deref()
    }

    /// The headers that propagate from a request to what it enqueues.
    pub fn propagated_headers(&self) -> &[String] {
        &self.propagated_headers
    }

    /// The field of a message's content that holds the propagated headers.
    pub fn propagated_headers_key(&self) -> &str {
        &self.propagated_headers_key
    }

    /// Where propagated headers travel in a message.
    pub fn header_placement(&self) -> HeaderPlacement {
        self.header_placement
    }

    /// How often a message is delivered before it goes to the dead-letter topic.
    pub fn subscriber_max_retries(&self) -> Option<u32> {
        self.subscriber_max_retries
    }

    /// The shortest backoff before a message is redelivered.
    pub fn subscriber_min_backoff(&self) -> Option<Duration> {
        self.subscriber_min_backoff
    }

    /// The longest backoff before a message is redelivered.
    pub fn subscriber_max_backoff(&self) -> Option<Duration> {
        self.subscriber_max_backoff
    }

    /// How long a subscription is kept without activity.
    pub fn subscriber_expiration(&self) -> Option<Duration> {
        self.subscriber_expiration
    }

    /// The retry policy of an enqueue without a clear response.
    pub fn enqueue_retry(&self) -> RetrySettings {
        self.enqueue_retry
    }

    /// The Google Cloud project, once it is known: `build()` may learn it from the credentials.
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// The region of Cloud Tasks and Cloud Scheduler.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// The e-mail address of the service account that signs tasks and pushes, once it is known.
    pub fn service_account(&self) -> Option<&str> {
        self.service_account.as_deref()
    }

    /// The Pub/Sub emulator to use instead of Google Cloud, as `host:port`.
    pub fn pubsub_emulator_host(&self) -> Option<&str> {
        self.pubsub_emulator_host.as_deref()
    }

    /// The Cloud Tasks emulator to use instead of Google Cloud, as `host:port`.
    pub fn cloud_tasks_emulator_host(&self) -> Option<&str> {
        self.cloud_tasks_emulator_host.as_deref()
    }

    /// The port of the local engine.
    pub fn local_engine_port(&self) -> Option<u16> {
        self.local_engine_port
    }

    /// Where another service runs its tasks.
    pub fn service(&self, name: &str) -> Option<&ServiceEndpoint> {
        self.services.get(name).map(|service| &**service)
    }

    /// What is wrong with the endpoints of other services if Google is to call them.
    #[cfg(feature = "google")]
    pub(crate) fn uncallable_services(&self) -> Vec<Invalid> {
        let insecure = self
            .services
            .iter()
            .filter(|(_, service)| !is_https(service.url()));
        insecure
            .map(|(name, service)| {
                Invalid::because(format!(
                    "the service {name} cannot be called by Google: set {} to its https URL instead of {:?}, since tokens \
                     are sent over https only",
                    service_variable(name),
                    service.url()
                ))
            })
            .collect()
    }

    pub(crate) fn shared_service(&self, name: &str) -> Option<Arc<ServiceEndpoint>> {
        self.services.get(name).cloned()
    }
}
