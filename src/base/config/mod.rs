//! Settings, from the environment or from code.

mod fields;
mod header_placement;
mod retry;
mod run_mode;
mod service;
mod vars;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Authority;
use http::{HeaderName, Uri};

use crate::base::invalid::Invalid;
use crate::base::names;
use crate::base::wire::headers::propagated_name;

pub use header_placement::HeaderPlacement;
pub use retry::RetrySettings;
pub use run_mode::RunMode;
pub use service::ServiceEndpoint;
pub(crate) use service::{service_variable, validate_service};

/// The settings of a [`Runtime`](crate::Runtime), from the environment and from code; code overrides the environment.
///
/// | variable (prefix `CLOUD_TASKS_`) | setting | default |
/// |---|---|---|
/// | `ENDPOINT` | [`endpoint`](Self::endpoint) | `http://localhost:8080` |
/// | `APP_NAME` | [`app_name`](Self::app_name) | none |
/// | `DELIMITER` | [`delimiter`](Self::delimiter) | `--` |
/// | `MODE` (`google`, `local` or `eager`) | [`mode`](Self::mode) | `google` |
/// | `EAGER` (`true` is the mode `eager`) | [`mode`](Self::mode) | false |
/// | `MAXIMUM_ETA_TASK` (seconds) | [`maximum_eta`](Self::maximum_eta) | none: the service's limit of 30 days |
/// | `BACKUP_QUEUE_NAME` | [`backup_queue_name`](Self::backup_queue_name) | `{queue}{DELIMITER}temp` |
/// | `PROPAGATED_HEADERS` (comma-separated) | [`propagated_headers`](Self::propagated_headers), [`with_added_propagated_headers`](Self::with_added_propagated_headers) | `traceparent` |
/// | `PROPAGATED_HEADERS_KEY` | [`propagated_headers_key`](Self::propagated_headers_key) | `_http_headers` |
/// | `SUBSCRIBER_MAX_RETRIES` | [`subscriber_max_retries`](Self::subscriber_max_retries) | none: the service's default |
/// | `SUBSCRIBER_MIN_BACKOFF` (seconds) | [`subscriber_min_backoff`](Self::subscriber_min_backoff) | none: the service's default |
/// | `SUBSCRIBER_MAX_BACKOFF` (seconds) | [`subscriber_max_backoff`](Self::subscriber_max_backoff) | none: the service's default |
/// | `SUBSCRIBER_EXPIRATION` (days) | [`subscriber_expiration`](Self::subscriber_expiration) | none: the service's default |
/// | `ENQUEUE_RETRY_INITIAL`, `_MAXIMUM`, `_MULTIPLIER`, `_DEADLINE` (seconds) | [`enqueue_retry`](Self::enqueue_retry) | 1, 60, 2, 120 |
/// | `PROJECT`, otherwise `GOOGLE_CLOUD_PROJECT` | [`project`](Self::project) | that of the credentials or of the metadata server |
/// | `LOCATION` | [`location`](Self::location) | none |
/// | `SERVICE_ACCOUNT` | [`service_account`](Self::service_account) | the account of the credentials |
/// | `SERVICE_{NAME}`, `SERVICE_{NAME}_ACCOUNT` | [`service`](Self::service): where another service runs its tasks, and the account that requests to it are signed as; `MAIL_ROOM` is the service `mail-room` | none |
/// | `LOCAL_ENGINE_PORT` | [`local_engine_port`](Self::local_engine_port) | none: a free port |
/// | `CLOUD_TASKS_EMULATOR_HOST`, `PUBSUB_EMULATOR_HOST` (no prefix; `host:port`) | [`cloud_tasks_emulator_host`](Self::cloud_tasks_emulator_host), [`pubsub_emulator_host`](Self::pubsub_emulator_host) | none |
///
/// Empty variables are ignored, except `PROPAGATED_HEADERS`, where empty means "none".
///
/// ```
/// use std::time::Duration;
/// use cloud_tasks::Config;
///
/// let vars = [("CLOUD_TASKS_APP_NAME", "shop"), ("CLOUD_TASKS_MAXIMUM_ETA_TASK", "3600")];
/// let config = Config::from_vars(vars)?.with_endpoint("https://shop.example");
/// assert_eq!((config.app_name(), config.default_queue()), (Some("shop"), "shop"));
/// # Ok::<(), cloud_tasks::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    endpoint: String,
    app_name: Option<String>,
    delimiter: String,
    mode: RunMode,
    maximum_eta: Option<Duration>,
    backup_queue_name: Option<String>,
    propagated_headers: Vec<String>,
    propagated_headers_key: String,
    header_placement: HeaderPlacement,
    subscriber_max_retries: Option<u32>,
    subscriber_min_backoff: Option<Duration>,
    subscriber_max_backoff: Option<Duration>,
    subscriber_expiration: Option<Duration>,
    enqueue_retry: RetrySettings,
    project: Option<String>,
    location: Option<String>,
    service_account: Option<String>,
    pubsub_emulator_host: Option<String>,
    cloud_tasks_emulator_host: Option<String>,
    local_engine_port: Option<u16>,
    /// Other services, by name.
    services: BTreeMap<String, Arc<ServiceEndpoint>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: "http://localhost:8080".into(),
            app_name: None,
            delimiter: "--".into(),
            mode: RunMode::default(),
            maximum_eta: None,
            backup_queue_name: None,
            propagated_headers: vec!["traceparent".into()],
            propagated_headers_key: "_http_headers".into(),
            header_placement: HeaderPlacement::default(),
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
            local_engine_port: None,
            services: BTreeMap::new(),
        }
    }
}

impl Config {
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

    /// The headers that propagate, each of them once: in a list with two spellings of a name, each hop would double it.
    pub(crate) fn propagated_names(&self) -> Vec<HeaderName> {
        let mut names = Vec::new();
        for name in self
            .propagated_headers
            .iter()
            .flat_map(|name| propagated_name(name))
        {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Every invalid setting. Values from the environment were checked when they were read.
    pub(crate) fn errors(&self) -> Vec<Invalid> {
        let mut errors = Vec::new();
        let mut check = |is_valid: bool, setting: &str, value: &str, accepted: &str| {
            if !is_valid {
                let value = without_user(value);
                errors.push(Invalid::new(format_args!("the {setting} {value:?}"), accepted));
            }
        };
        check(is_endpoint(&self.endpoint), "endpoint", &self.endpoint, ENDPOINT);
        check(
            !self.delimiter.is_empty(),
            "delimiter",
            &self.delimiter,
            "at least one character",
        );
        // Without a name the member would be added, and never be found again.
        check(
            !self.propagated_headers_key.is_empty(),
            "key of propagated headers",
            &self.propagated_headers_key,
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
        for (name, service) in &self.services {
            let setting = format!("endpoint of the service {name}");
            check(is_endpoint(service.url()), &setting, service.url(), ENDPOINT);
        }
        let retry = self.enqueue_retry;
        let multiplier = retry.multiplier.to_string();
        check(
            retry.multiplier >= 1.0 && retry.multiplier.is_finite(),
            "retry multiplier",
            &multiplier,
            MULTIPLIER,
        );
        let names = self.services.keys();
        errors.extend(names.filter_map(|name| validate_service(name).err()));
        errors
    }
}

const ENDPOINT: &str = "a URL that starts with http:// or https:// and has no query, user or password, such as https://shop.example/jobs";
const HOST_PORT: &str = "host:port, such as localhost:8123";
const PROJECT: &str = "the id of a project alone, such as my-project";
const LOCATION: &str = "the name of a region alone, such as europe-west1";
const MULTIPLIER: &str = "a number, 1 or more";

/// What is wrong with the endpoint if Google is to call it.
pub(crate) fn uncallable_endpoint(config: &Config) -> Option<Invalid> {
    let endpoint = config.endpoint();
    let is_url = endpoint.parse::<Uri>().is_ok();
    (is_url && !is_https(endpoint)).then(|| {
        Invalid::because(format!(
            "the endpoint {endpoint:?} cannot be called by Google: set CLOUD_TASKS_ENDPOINT to the https URL of this service, since tokens are sent over https only"
        ))
    })
}

fn is_https(url: &str) -> bool {
    url.parse::<Uri>()
        .is_ok_and(|uri| uri.scheme_str() == Some("https"))
}

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

/// A name and a password would end up in logs, and are sent nowhere.
fn has_no_user(authority: &Authority) -> bool {
    !authority.as_str().contains('@')
}

/// Whether this is the machine that we run on.
pub(crate) fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    let place = authority.as_str().rsplit('@').next().unwrap_or_default();
    // `[::1].evil.example` is parsed, too.
    let is_whole = match place.strip_prefix(host) {
        Some("") => true,
        Some(port) => port
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit())),
        None => false,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_local = host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified());
    is_whole && is_local
}

/// The authority of an emulator's `host:port`.
pub(crate) fn host_port(text: &str) -> Option<Authority> {
    let authority = text.parse::<Authority>().ok()?;
    let is_accepted =
        authority.port_u16().is_some() && !authority.host().is_empty() && has_no_user(&authority);
    is_accepted.then_some(authority)
}

/// A value as an error may show it: without a name and a password.
pub(crate) fn without_user(value: &str) -> String {
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
