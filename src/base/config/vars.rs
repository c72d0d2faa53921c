//! Settings from environment variables.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::service::{Meaning, SERVICE, meaning};
use super::{
    Config, ENDPOINT, HOST_PORT, LOCATION, MULTIPLIER, PROJECT, RetrySettings, RunMode, ServiceEndpoint,
};
use super::{is_endpoint, is_host_port, is_plain, service_variable, without_user};
use crate::base::error::{Error, ErrorKind};
use crate::base::wire::headers::propagated_name;

const PREFIX: &str = "CLOUD_TASKS_";
const SECONDS: &str = "a number of seconds, 0 or more";
const BOOLEAN: &str = "true, 1, t, y or yes; false, 0, f, n or no";

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
            if !Vars::KNOWN.contains(&name.as_str()) && service_of(&name).is_none() {
                if name.starts_with(PREFIX) {
                    tracing::warn!(variable = %crate::base::text::safe(&name), "unknown setting, ignored");
                }
                continue;
            }
            let value = value.into_string().map_err(|value| {
                let value = value.to_string_lossy().into_owned();
                refused(&name, &value, "valid UTF-8")
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
}

/// What a variable says of another service, whose name is in upper case.
fn service_of(variable: &str) -> Option<Meaning<'_>> {
    let meaning = meaning(variable.strip_prefix(SERVICE)?);
    matches!(meaning, Meaning::Url(name) | Meaning::Account(name) if !name.is_empty()).then_some(meaning)
}

fn project(text: &str) -> Option<String> {
    is_plain(text).then(|| text.to_owned())
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
        "CLOUD_TASKS_MODE",
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
        "CLOUD_TASKS_LOCAL_ENGINE_PORT",
        "GOOGLE_CLOUD_PROJECT",
        "PUBSUB_EMULATOR_HOST",
        // Set by Cloud Run for services and for jobs.
        "K_SERVICE",
        "CLOUD_RUN_JOB",
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
            mode: self.mode()?,
            maximum_eta: self.seconds("MAXIMUM_ETA_TASK")?,
            backup_queue_name: self.text("BACKUP_QUEUE_NAME"),
            propagated_headers: self.headers()?.unwrap_or(defaults.propagated_headers),
            header_placement: defaults.header_placement,
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
            local_engine_port: self.read("LOCAL_ENGINE_PORT", "a port, 1 to 65535", |text| {
                text.parse().ok().filter(|port| *port != 0)
            })?,
            services: self.services()?,
        })
    }

    /// The mode. A local engine loses its tasks with the instance, so it must not run where instances come and go.
    fn mode(&self) -> Result<RunMode, Error> {
        let mode = self.read("MODE", RunMode::ACCEPTED, RunMode::parse)?;
        let eager = self.read("EAGER", BOOLEAN, boolean)?.unwrap_or(false);
        let name = format!("{PREFIX}MODE");
        let value = self.raw(&name).unwrap_or_default();
        match mode {
            Some(RunMode::Google | RunMode::Local) if eager => Err(refused(
                &name,
                &value,
                "eager, or CLOUD_TASKS_EAGER must not be true",
            )),
            Some(RunMode::Local) => match ["K_SERVICE", "CLOUD_RUN_JOB"]
                .iter()
                .find(|var| self.raw(var).is_some())
            {
                Some(platform) => Err(refused(
                    &name,
                    &value,
                    &format!(
                        "google on Cloud Run ({platform} is set), where the local engine would lose its tasks with the instance"
                    ),
                )),
                None => Ok(RunMode::Local),
            },
            Some(mode) => Ok(mode),
            None if eager => Ok(RunMode::Eager),
            None => Ok(RunMode::default()),
        }
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

    /// The other services, by their names in lower case.
    fn services(&self) -> Result<BTreeMap<String, Arc<ServiceEndpoint>>, Error> {
        let mut services = BTreeMap::new();
        let mut accounts = BTreeMap::new();
        for variable in self.0.keys() {
            let Some(of) = service_of(variable) else {
                continue;
            };
            let lower = |name: &str| name.to_ascii_lowercase().replace('_', "-");
            match of {
                Meaning::Url(name) => {
                    let url = self.read_raw(variable, ENDPOINT, |text| {
                        is_endpoint(text).then(|| text.to_owned())
                    })?;
                    services.extend(url.map(|url| (lower(name), ServiceEndpoint::new(url))));
                }
                Meaning::Account(name) => {
                    accounts.extend(
                        self.raw(variable)
                            .map(|account| (lower(name), (variable, account))),
                    );
                }
                Meaning::OwnAccount | Meaning::Kubernetes => {}
            }
        }
        for (name, (variable, account)) in accounts {
            let Some(service) = services.remove(&name) else {
                let url = service_variable(&name);
                let accepted = format!("without {url}, the endpoint of the service, it has no use");
                return Err(refused(variable, &account, &accepted));
            };
            services.insert(name, service.with_account(account));
        }
        let services = services.into_iter();
        Ok(services
            .map(|(name, service)| (name, Arc::new(service)))
            .collect())
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
