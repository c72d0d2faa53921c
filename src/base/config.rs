//! Settings, from the environment or from code.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use http::uri::Authority;
use http::{HeaderName, Uri};

use crate::base::error::{Error, ErrorKind};
use crate::base::names;
use crate::base::wire::headers::propagated_name;

const PREFIX: &str = "CLOUD_TASKS_";

/// The settings of a [`Runtime`](crate::Runtime), from the environment and from code; code overrides the environment.
///
/// | variable (prefix `CLOUD_TASKS_`) | setter | default |
/// |---|---|---|
/// | `ENDPOINT` | [`endpoint`](Self::endpoint) | `http://localhost:8080` |
/// | `APP_NAME` | [`app_name`](Self::app_name) | none |
/// | `DELIMITER` | [`delimiter`](Self::delimiter) | `--` |
/// | `EAGER` | [`eager`](Self::eager) | false |
/// | `MAXIMUM_ETA_TASK` (seconds) | [`maximum_eta`](Self::maximum_eta) | none: the service's limit of 30 days |
/// | `BACKUP_QUEUE_NAME` | [`backup_queue_name`](Self::backup_queue_name) | `{queue}{DELIMITER}temp` |
/// | `PROPAGATED_HEADERS` (comma-separated) | [`propagated_headers`](Self::propagated_headers), [`add_propagated_headers`](Self::add_propagated_headers) | `traceparent` |
/// | `PROPAGATED_HEADERS_KEY` | [`propagated_headers_key`](Self::propagated_headers_key) | `_http_headers` |
/// | `SUBSCRIBER_MAX_RETRIES` | [`subscriber_max_retries`](Self::subscriber_max_retries) | none: the service's default |
/// | `SUBSCRIBER_MIN_BACKOFF` (seconds) | [`subscriber_min_backoff`](Self::subscriber_min_backoff) | none: the service's default |
/// | `SUBSCRIBER_MAX_BACKOFF` (seconds) | [`subscriber_max_backoff`](Self::subscriber_max_backoff) | none: the service's default |
/// | `SUBSCRIBER_EXPIRATION` (days) | [`subscriber_expiration`](Self::subscriber_expiration) | none: the service's default |
/// | `ENQUEUE_RETRY_INITIAL`, `_MAXIMUM`, `_MULTIPLIER`, `_DEADLINE` (seconds) | [`enqueue_retry`](Self::enqueue_retry) | 1, 60, 2, 120 |
/// | `PROJECT`, otherwise `GOOGLE_CLOUD_PROJECT` | [`project`](Self::project) | that of the credentials or of the metadata server |
/// | `LOCATION` | [`location`](Self::location) | none |
/// | `SERVICE_ACCOUNT` | [`service_account`](Self::service_account) | the account of the credentials |
/// | `CLOUD_TASKS_EMULATOR_HOST`, `PUBSUB_EMULATOR_HOST` (no prefix; `host:port`) | [`cloud_tasks_emulator_host`](Self::cloud_tasks_emulator_host), [`pubsub_emulator_host`](Self::pubsub_emulator_host) | none |
///
/// Empty variables are ignored, except `PROPAGATED_HEADERS`, where empty means "none".
///
/// ```
/// use std::time::Duration;
/// use cloud_tasks::Config;
///
/// let config = Config::from_vars([("CLOUD_TASKS_APP_NAME", "shop"), ("CLOUD_TASKS_MAXIMUM_ETA_TASK", "3600")])?
///     .endpoint("https://shop.example");
/// assert_eq!(config.default_queue(), "shop");
/// # Ok::<(), cloud_tasks::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(crate) endpoint: String,
    pub(crate) app_name: Option<String>,
    pub(crate) delimiter: String,
    pub(crate) eager: bool,
    pub(crate) maximum_eta: Option<Duration>,
    backup_queue_name: Option<String>,
    pub(crate) propagated_headers: Vec<String>,
    pub(crate) propagated_headers_key: String,
    pub(crate) subscriber_max_retries: Option<u32>,
    pub(crate) subscriber_min_backoff: Option<Duration>,
    pub(crate) subscriber_max_backoff: Option<Duration>,
    pub(crate) subscriber_expiration: Option<Duration>,
    pub(crate) enqueue_retry: RetrySettings,
    pub(crate) project: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) service_account: Option<String>,
    pub(crate) pubsub_emulator_host: Option<String>,
    pub(crate) cloud_tasks_emulator_host: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: "http://localhost:8080".into(),
            app_name: None,
            delimiter: "--".into(),
            eager: false,
            maximum_eta: None,
            backup_queue_name: None,
            propagated_headers: vec!["traceparent".into()],
            propagated_headers_key: "_http_headers".into(),
            subscriber_max_retries: None,
            subscriber_min_backoff: None,
            subscriber_max_backoff: None,
            subscriber_expiration: None,
            enqueue_retry: RetrySettings::default(),
            project: None,
            location: None,
            service_account: None,
            pubsub_emulator_host: None,
            cloud_tasks_emulator_host: None,
        }
    }
}

/// The retry policy of an enqueue without a clear response: backoff of 1, 2, 4… up to 60 seconds, with jitter, for 120
/// seconds.
///
/// A retry never creates a duplicate, because the client chooses the task's id.
///
/// ```
/// use std::time::Duration;
/// use cloud_tasks::backend::RetrySettings;
/// use cloud_tasks::Config;
///
/// let patient = RetrySettings { deadline: Duration::from_secs(600), ..RetrySettings::default() };
/// let config = Config::default().enqueue_retry(patient);
/// let once = Config::default().enqueue_retry(RetrySettings::off());
/// # let _ = (config, once);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrySettings {
    /// The backoff before the first retry; default 1 second.
    pub initial: Duration,
    /// The longest backoff; default 60 seconds.
    pub maximum: Duration,
    /// The factor by which the backoff grows; default 2.
    pub multiplier: f64,
    /// When to give up, counted from the first call; default 120 seconds. Zero disables retries.
    pub deadline: Duration,
}

impl RetrySettings {
    /// Disables retries.
    pub fn off() -> Self {
        Self {
            deadline: Duration::ZERO,
            ..Self::default()
        }
    }
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            maximum: Duration::from_secs(60),
            multiplier: 2.0,
            deadline: Duration::from_secs(120),
        }
    }
}

impl Config {
    /// Reads the settings from the environment of this process.
    ///
    /// # Errors
    ///
    /// If the value of a variable does not parse. The error names the variable, its value and what is accepted.
    pub fn from_env() -> Result<Self, Error> {
        let mut vars = HashMap::new();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else {
                continue;
            };
            if !Vars::KNOWN.contains(&name.as_str()) {
                if name.starts_with(PREFIX) {
                    tracing::warn!(variable = %name, "unknown setting, ignored");
                }
                continue;
            }
            let value = value.into_string().map_err(|value| {
                let shown = value.to_string_lossy().into_owned();
                refused(&name, &shown, "valid UTF-8")
            })?;
            vars.insert(name, value);
        }
        Vars(vars).into_config()
    }

    /// Reads the settings from `vars`, as if they were the whole environment.
    ///
    /// # Errors
    ///
    /// If the value of a variable does not parse. The error names the variable, its value and what is accepted.
    ///
    /// ```
    /// use cloud_tasks::Config;
    ///
    /// let error = Config::from_vars([("CLOUD_TASKS_MAXIMUM_ETA_TASK", "one day")]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "CLOUD_TASKS_MAXIMUM_ETA_TASK is \"one day\", which is not accepted: a number of seconds, 0 or more",
    /// );
    /// ```
    pub fn from_vars<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Result<Self, Error>
    where
        K: Into<String>,
        V: Into<String>,
    {
        let vars = vars
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Vars(vars).into_config()
    }

    /// Sets the base URL of this service, which Cloud Tasks calls. It may have a path.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = url.into();
        self
    }

    /// Sets the application's name: the default queue, and the prefix of topics, subscriptions and schedules.
    pub fn app_name(mut self, name: impl Into<String>) -> Self {
        self.app_name = Some(name.into());
        self
    }

    /// Sets the delimiter between the application's name and a resource's name.
    pub fn delimiter(mut self, delimiter: impl Into<String>) -> Self {
        self.delimiter = delimiter.into();
        self
    }

    /// Sets whether every task runs in this process, as soon as it is enqueued.
    pub fn eager(mut self, eager: bool) -> Self {
        self.eager = eager;
        self
    }

    /// Sets how far ahead a task may be scheduled; Cloud Tasks accepts at most 30 days.
    pub fn maximum_eta(mut self, maximum: Duration) -> Self {
        self.maximum_eta = Some(maximum);
        self
    }

    /// Sets the queue that receives the tasks of a queue whose name is blocked; see the [backup queue
    /// guide](crate::guide::backup_queue).
    pub fn backup_queue_name(mut self, name: impl Into<String>) -> Self {
        self.backup_queue_name = Some(name.into());
        self
    }

    /// Sets the headers that propagate from a request to what it enqueues, instead of `traceparent`. Names are
    /// case-insensitive.
    ///
    /// `build()` rejects the headers that [`Enqueue::header`](crate::task::Enqueue::header) rejects, and those of a
    /// body. A value that is empty, not printable or longer than 8 KiB is left out, and so is everything beyond 16 KiB
    /// in all.
    pub fn propagated_headers<H: Into<String>>(mut self, names: impl IntoIterator<Item = H>) -> Self {
        self.propagated_headers = names.into_iter().map(Into::into).collect();
        self
    }

    /// Adds headers to propagate, in addition to `traceparent`.
    ///
    /// ```
    /// use cloud_tasks::Config;
    ///
    /// let config = Config::default().add_propagated_headers(["baggage"]);
    /// assert_eq!(config, Config::default().propagated_headers(["traceparent", "baggage"]));
    /// ```
    pub fn add_propagated_headers<H: Into<String>>(mut self, names: impl IntoIterator<Item = H>) -> Self {
        self.propagated_headers.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets the field of a message's content that holds the propagated headers.
    pub fn propagated_headers_key(mut self, key: impl Into<String>) -> Self {
        self.propagated_headers_key = key.into();
        self
    }

    /// Sets how often a message is delivered before it goes to the dead-letter topic.
    pub fn subscriber_max_retries(mut self, retries: u32) -> Self {
        self.subscriber_max_retries = Some(retries);
        self
    }

    /// Sets the shortest backoff before a message is redelivered.
    pub fn subscriber_min_backoff(mut self, backoff: Duration) -> Self {
        self.subscriber_min_backoff = Some(backoff);
        self
    }

    /// Sets the longest backoff before a message is redelivered.
    pub fn subscriber_max_backoff(mut self, backoff: Duration) -> Self {
        self.subscriber_max_backoff = Some(backoff);
        self
    }

    /// Sets how long a subscription is kept without activity.
    pub fn subscriber_expiration(mut self, expiration: Duration) -> Self {
        self.subscriber_expiration = Some(expiration);
        self
    }

    /// Sets the retry policy of an enqueue without a clear response.
    pub fn enqueue_retry(mut self, settings: RetrySettings) -> Self {
        self.enqueue_retry = settings;
        self
    }

    /// Sets the Google Cloud project.
    pub fn project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// Sets the region of Cloud Tasks and Cloud Scheduler, such as `europe-west1`.
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// Sets the e-mail address of the service account that signs tasks and pushes.
    pub fn service_account(mut self, email: impl Into<String>) -> Self {
        self.service_account = Some(email.into());
        self
    }

    /// Sets a Pub/Sub emulator to use instead of Google Cloud, as `host:port`.
    pub fn pubsub_emulator_host(mut self, host: impl Into<String>) -> Self {
        self.pubsub_emulator_host = Some(host.into());
        self
    }

    /// Sets a Cloud Tasks emulator to use instead of Google Cloud, as `host:port`.
    pub fn cloud_tasks_emulator_host(mut self, host: impl Into<String>) -> Self {
        self.cloud_tasks_emulator_host = Some(host.into());
        self
    }

    /// The queue of tasks that name none: the application's name, by default `tasks`.
    pub fn default_queue(&self) -> &str {
        self.app_name.as_deref().unwrap_or("tasks")
    }

    /// The backup queue of a queue whose name is blocked.
    #[cfg(feature = "google")]
    pub(crate) fn backup_queue(&self, queue: &str) -> String {
        self.backup_queue_name
            .clone()
            .unwrap_or_else(|| format!("{queue}{}temp", self.delimiter))
    }

    /// Adds the application's prefix to a base name, if the application has a name.
    pub(crate) fn prefixed(&self, base: &str) -> String {
        match &self.app_name {
            Some(app) => format!("{app}{}{base}", self.delimiter),
            None => base.to_owned(),
        }
    }

    /// What distinguishes this service from others that share a store or a queue: project, region, and application; the
    /// endpoint if the application has no name.
    pub(crate) fn service_identity(&self) -> [&str; 3] {
        [
            self.project.as_deref().unwrap_or_default(),
            self.location.as_deref().unwrap_or_default(),
            self.app_name.as_deref().unwrap_or_else(|| self.base_url()),
        ]
    }

    /// The endpoint without a slash at its end.
    pub(crate) fn base_url(&self) -> &str {
        self.endpoint.trim_end_matches('/')
    }

    /// The URL of a task.
    pub(crate) fn task_url(&self, name: &str) -> String {
        format!("{}/tasks/{}", self.base_url(), names::encode_segment(name))
    }

    /// The path of the endpoint, without a trailing slash.
    pub(crate) fn base_path(&self) -> String {
        self.endpoint
            .parse::<Uri>()
            .map(|uri| uri.path().trim_end_matches('/').to_owned())
            .unwrap_or_default()
    }

    /// Every invalid setting. Values from the environment were checked when they were read.
    pub(crate) fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let mut check = |fits: bool, setting: &str, value: &str, accepted: &str| {
            if !fits {
                let value = without_user(value);
                mistakes.push(format!("the {setting} {value:?} is not accepted: {accepted}"));
            }
        };
        check(is_endpoint(&self.endpoint), "endpoint", &self.endpoint, ENDPOINT);
        check(
            !self.delimiter.is_empty(),
            "delimiter",
            &self.delimiter,
            "at least one character",
        );
        for name in &self.propagated_headers {
            if let Err(reason) = propagated_name(name) {
                check(false, "propagated header", name, &reason);
            }
        }
        for host in [&self.pubsub_emulator_host, &self.cloud_tasks_emulator_host]
            .into_iter()
            .flatten()
        {
            check(is_host_port(host), "emulator host", host, HOST_PORT);
        }
        for (setting, value, accepted) in [
            ("project", &self.project, PROJECT),
            ("location", &self.location, LOCATION),
        ] {
            if let Some(value) = value {
                check(is_plain(value), setting, value, accepted);
            }
        }
        let retry = self.enqueue_retry;
        let multiplier = retry.multiplier.to_string();
        check(
            retry.multiplier >= 1.0 && retry.multiplier.is_finite(),
            "retry multiplier",
            &multiplier,
            MULTIPLIER,
        );
        mistakes
    }
}

const ENDPOINT: &str = "a URL that starts with http:// or https:// and has no query, user or password, such as https://shop.example/jobs";
const HOST_PORT: &str = "host:port, such as localhost:8123";
const PROJECT: &str = "the id of a project alone, such as my-project";
const LOCATION: &str = "the name of a region alone, such as europe-west1";
const MULTIPLIER: &str = "a number, 1 or more";
const SECONDS: &str = "a number of seconds, 0 or more";
const BOOLEAN: &str = "true, 1, t, y or yes; false, 0, f, n or no";

fn is_endpoint(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.query().is_none()
            && uri
                .authority()
                .is_some_and(|authority| has_no_bad_port(authority) && has_no_user(authority))
    }) && !url.contains('#')
}

/// `Uri` accepts an empty or too large port and then reports no port.
fn has_no_bad_port(authority: &Authority) -> bool {
    authority.port_u16().is_some() || authority.as_str().ends_with(authority.host())
}

/// Whether it is a single segment, and not a path that was pasted as a whole.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(|char: char| char == '/' || char.is_whitespace() || char.is_control())
}

fn project(text: &str) -> Option<String> {
    is_plain(text).then(|| text.to_owned())
}

/// A name and a password would end up in logs, and are sent nowhere.
fn has_no_user(authority: &Authority) -> bool {
    !authority.as_str().contains('@')
}

/// Whether this is the machine that we run on.
pub(crate) fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
}

/// The authority of an emulator's `host:port`.
pub(crate) fn host_port(text: &str) -> Option<Authority> {
    let authority = text.parse::<Authority>().ok()?;
    let is_accepted =
        authority.port_u16().is_some() && !authority.host().is_empty() && has_no_user(&authority);
    is_accepted.then_some(authority)
}

/// A value as an error may show it: without a name and a password.
fn without_user(value: &str) -> String {
    match value.rsplit_once('@') {
        Some((before, host)) => {
            let scheme = before.find("://").map_or("", |at| &before[..at + 3]);
            format!("{scheme}***@{host}")
        }
        None => value.to_owned(),
    }
}

fn is_host_port(text: &str) -> bool {
    host_port(text).is_some()
}

fn refused(name: &str, value: &str, accepted: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!(
            "{name} is {:?}, which is not accepted: {accepted}",
            without_user(value)
        ),
    )
}

/// Environment variables by their full names.
struct Vars(HashMap<String, String>);

impl Vars {
    const KNOWN: &[&str] = &[
        "CLOUD_TASKS_ENDPOINT",
        "CLOUD_TASKS_APP_NAME",
        "CLOUD_TASKS_DELIMITER",
        "CLOUD_TASKS_EAGER",
        "CLOUD_TASKS_MAXIMUM_ETA_TASK",
        "CLOUD_TASKS_BACKUP_QUEUE_NAME",
        "CLOUD_TASKS_PROPAGATED_HEADERS",
        "CLOUD_TASKS_PROPAGATED_HEADERS_KEY",
        "CLOUD_TASKS_SUBSCRIBER_MAX_RETRIES",
        "CLOUD_TASKS_SUBSCRIBER_MIN_BACKOFF",
        "CLOUD_TASKS_SUBSCRIBER_MAX_BACKOFF",
        "CLOUD_TASKS_SUBSCRIBER_EXPIRATION",
        "CLOUD_TASKS_ENQUEUE_RETRY_INITIAL",
        "CLOUD_TASKS_ENQUEUE_RETRY_MAXIMUM",
        "CLOUD_TASKS_ENQUEUE_RETRY_MULTIPLIER",
        "CLOUD_TASKS_ENQUEUE_RETRY_DEADLINE",
        "CLOUD_TASKS_PROJECT",
        "CLOUD_TASKS_LOCATION",
        "CLOUD_TASKS_SERVICE_ACCOUNT",
        "CLOUD_TASKS_EMULATOR_HOST",
        "GOOGLE_CLOUD_PROJECT",
        "PUBSUB_EMULATOR_HOST",
    ];

    fn into_config(self) -> Result<Config, Error> {
        let defaults = Config::default();
        let retry = defaults.enqueue_retry;
        let day = 24.0 * 60.0 * 60.0;
        Ok(Config {
            endpoint: self
                .read("ENDPOINT", ENDPOINT, |text| {
                    is_endpoint(text).then(|| text.to_owned())
                })?
                .unwrap_or(defaults.endpoint),
            app_name: self.text("APP_NAME"),
            delimiter: self.text("DELIMITER").unwrap_or(defaults.delimiter),
            eager: self.read("EAGER", BOOLEAN, boolean)?.unwrap_or(false),
            maximum_eta: self.seconds("MAXIMUM_ETA_TASK")?,
            backup_queue_name: self.text("BACKUP_QUEUE_NAME"),
            propagated_headers: self.headers()?.unwrap_or(defaults.propagated_headers),
            propagated_headers_key: self
                .text("PROPAGATED_HEADERS_KEY")
                .unwrap_or(defaults.propagated_headers_key),
            subscriber_max_retries: self.read(
                "SUBSCRIBER_MAX_RETRIES",
                "a whole number, 0 or more",
                |text| text.parse().ok(),
            )?,
            subscriber_min_backoff: self.seconds("SUBSCRIBER_MIN_BACKOFF")?,
            subscriber_max_backoff: self.seconds("SUBSCRIBER_MAX_BACKOFF")?,
            subscriber_expiration: self.read(
                "SUBSCRIBER_EXPIRATION",
                "a number of days, 0 or more",
                |text| seconds(&(text.parse::<f64>().ok()? * day).to_string()),
            )?,
            enqueue_retry: RetrySettings {
                initial: self.seconds("ENQUEUE_RETRY_INITIAL")?.unwrap_or(retry.initial),
                maximum: self.seconds("ENQUEUE_RETRY_MAXIMUM")?.unwrap_or(retry.maximum),
                multiplier: self
                    .read("ENQUEUE_RETRY_MULTIPLIER", MULTIPLIER, |text| {
                        text.parse::<f64>().ok().filter(|m| *m >= 1.0 && m.is_finite())
                    })?
                    .unwrap_or(retry.multiplier),
                deadline: self.seconds("ENQUEUE_RETRY_DEADLINE")?.unwrap_or(retry.deadline),
            },
            project: match self.read("PROJECT", PROJECT, project)? {
                Some(project) => Some(project),
                None => self.read_raw("GOOGLE_CLOUD_PROJECT", PROJECT, project)?,
            },
            location: self.read("LOCATION", LOCATION, |text| {
                is_plain(text).then(|| text.to_owned())
            })?,
            service_account: self.text("SERVICE_ACCOUNT"),
            pubsub_emulator_host: self.host("PUBSUB_EMULATOR_HOST")?,
            cloud_tasks_emulator_host: self.host("CLOUD_TASKS_EMULATOR_HOST")?,
        })
    }

    /// The value of a variable, by its full name, unless it is empty.
    fn raw(&self, name: &str) -> Option<String> {
        let value = self.0.get(name)?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.raw(&format!("{PREFIX}{name}"))
    }

    fn read<T>(
        &self,
        name: &str,
        accepted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let name = format!("{PREFIX}{name}");
        self.read_raw(&name, accepted, parse)
    }

    fn read_raw<T>(
        &self,
        name: &str,
        accepted: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        self.raw(name)
            .map(|value| parse(&value).ok_or_else(|| refused(name, &value, accepted)))
            .transpose()
    }

    fn seconds(&self, name: &str) -> Result<Option<Duration>, Error> {
        self.read(name, SECONDS, seconds)
    }

    fn host(&self, name: &str) -> Result<Option<String>, Error> {
        self.read_raw(name, HOST_PORT, |text| {
            is_host_port(text).then(|| text.to_owned())
        })
    }

    fn headers(&self) -> Result<Option<Vec<String>>, Error> {
        let name = format!("{PREFIX}PROPAGATED_HEADERS");
        let Some(list) = self.0.get(&name) else {
            return Ok(None);
        };
        list.split(',')
            .map(str::trim)
            .filter(|header| !header.is_empty())
            .map(|header| {
                propagated_name(header)
                    .map(|name| name.to_string())
                    .map_err(|reason| {
                        const ACCEPTED: &str =
                            "header names separated by commas, such as traceparent,x-request-id";
                        let is_name = header.parse::<HeaderName>().is_ok();
                        let why = if is_name {
                            format!("; {header} is not one of them: {reason}")
                        } else {
                            String::new()
                        };
                        refused(&name, list, &format!("{ACCEPTED}{why}"))
                    })
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "t" | "y" | "yes" => Some(true),
        "false" | "0" | "f" | "n" | "no" => Some(false),
        _ => None,
    }
}
