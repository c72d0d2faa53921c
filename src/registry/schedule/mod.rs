//! The schedules of periodic tasks: the Cloud Scheduler job, and when it is due.

mod calendar;
mod options;
#[cfg(test)]
mod tests;
mod timing;

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use cloud_tasks_rules::names;
use http::{HeaderMap, HeaderValue, header};

use crate::base::{Config, Invalid, own_header};

use timing::Timing;

const MAX_PAYLOAD_BYTES: usize = 1_000_000;

/// The deadline of Cloud Scheduler for a job that sets none.
pub(crate) const DEFAULT_DEADLINE: Duration = Duration::from_secs(3 * 60);

/// The schedule options of a periodic task. Options that are not set are left to the service.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleOptions {
    every: &'static str,
    time_zone: &'static str,
    headers: &'static [(&'static str, &'static str)],
    max_retries: Option<u32>,
    min_backoff: Option<Duration>,
    max_backoff: Option<Duration>,
    max_doublings: Option<u32>,
    attempt_deadline: Option<Duration>,
    description: Option<&'static str>,
    name: Option<&'static str>,
    absolute: bool,
    oidc: bool,
}

/// The schedule in a registration.
#[derive(Clone, Copy)]
pub(crate) struct Periodic {
    pub options: &'static ScheduleOptions,
    pub payload: fn() -> Result<Bytes, serde_json::Error>,
}

impl Periodic {
    /// The number of attempts of one run. Cloud Scheduler does not send the attempt number, so only a limit of one is useful.
    pub fn attempts(&self) -> u32 {
        self.options.max_retries.unwrap_or(0).saturating_add(1)
    }

    /// The deadline of one attempt, if the options set it.
    pub fn attempt_deadline(&self) -> Option<Duration> {
        self.options.attempt_deadline
    }
}

/// The desired state of a Cloud Scheduler job, with final names and the encoded payload. `None` leaves a setting to the
/// service.
///
/// ```standalone_crate
/// use std::time::{Duration, SystemTime};
/// use cloud_tasks::{Config, Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Digest { limit: u32 }
///
/// #[task(every = "@daily", time_zone = "Europe/Paris", payload = Digest { limit: 10 })]
/// impl Task for Digest {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let config = Config::default().with_app_name("shop").with_endpoint("https://shop.example.com");
/// let runtime = Runtime::eager().config(config).build().await?;
///
/// let schedule = &runtime.schedules()[0];
/// assert_eq!(schedule.name, "shop--Digest");
/// assert_eq!((schedule.every.as_str(), schedule.time_zone.as_str()), ("0 0 * * *", "Europe/Paris"));
/// assert_eq!(schedule.url, "https://shop.example.com/tasks/Digest");
/// assert_eq!(&schedule.payload[..], br#"{"limit":10}"#);
/// // It was one o'clock in Paris when 1970 began in UTC, so the next midnight there was 23 hours away.
/// let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(23 * 60 * 60);
/// assert_eq!(schedule.next_after(SystemTime::UNIX_EPOCH), Some(midnight));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Schedule {
    /// The task's name.
    pub task: &'static str,
    /// The job's name in its project and location.
    pub name: String,
    /// When it is due, as Cloud Scheduler accepts it: cron, also for `@daily` and similar names, or an App Engine
    /// format.
    pub every: String,
    /// The time zone, by its name in the tz database.
    pub time_zone: String,
    /// The URL that the job calls.
    pub url: String,
    /// The body of the request: the JSON of the task's arguments.
    pub payload: Bytes,
    /// The headers of the request, including `Content-Type`.
    pub headers: HeaderMap,
    /// How often a failed run is retried.
    pub max_retries: Option<u32>,
    /// The shortest backoff before a retry.
    pub min_backoff: Option<Duration>,
    /// The longest backoff before a retry.
    pub max_backoff: Option<Duration>,
    /// How often the backoff doubles before it grows linearly.
    pub max_doublings: Option<u32>,
    /// The deadline of one attempt, by default the task's timeout.
    pub attempt_deadline: Option<Duration>,
    /// The description of the job.
    pub description: Option<&'static str>,
    /// Whether requests carry a signed token.
    pub oidc: bool,
    timing: Timing,
}

impl Schedule {
    /// Returns the first time after this one at which it is due, by the wall clock of its zone.
    ///
    /// A time that the clock skips in spring is left out, and a time that it repeats in autumn is due twice. An
    /// interval such as `every 5 minutes` counts from the given time; the service counts from the end of the previous
    /// run.
    ///
    /// Returns `None` if there is no such time.
    pub fn next_after(&self, time: SystemTime) -> Option<SystemTime> {
        self.timing.next_after(time)
    }

    /// Resolves the schedule of the task with this name, defined at `location`, or returns every error in it.
    pub(crate) fn new(
        task: &'static str,
        location: &str,
        periodic: &Periodic,
        timeout: Option<Duration>,
        config: &Config,
    ) -> Result<Self, Vec<Invalid>> {
        let options = periodic.options;
        let mut errors = options.errors();
        let mut add = |found: Vec<Invalid>| errors.extend(found);
        let timing = Timing::parse(options.every, options.time_zone).map_err(&mut add);
        let headers = headers(options).map_err(&mut add);
        let payload = payload(periodic).map_err(|error| add(vec![error]));
        let name = options.job_name(task, config);
        add(validate_job(&name).err().into_iter().collect());
        match (timing, headers, payload) {
            (Ok(timing), Ok(headers), Ok(payload)) if errors.is_empty() => Ok(Self {
                task,
                name,
                every: timing.text(),
                time_zone: options.time_zone.to_owned(),
                url: config.task_url(task),
                payload,
                headers,
                max_retries: options.max_retries,
                min_backoff: options.min_backoff,
                max_backoff: options.max_backoff,
                max_doublings: options.max_doublings,
                attempt_deadline: options.attempt_deadline.or(timeout),
                description: options.description,
                oidc: options.oidc,
                timing,
            }),
            _ => {
                let owner = format!("the schedule of {task} ({location})");
                Err(errors.into_iter().map(|error| error.of(&owner)).collect())
            }
        }
    }
}

/// Validates the name of a Cloud Scheduler job.
fn validate_job(name: &str) -> Result<(), Invalid> {
    Invalid::unless(names::is_id(name), || {
        Invalid::new(
            format_args!("the job's name {name:?}"),
            format_args!("{}; `schedule_name` gives it another one", names::ID),
        )
    })
}

/// The encoded arguments, which are the same for every run.
fn payload(periodic: &Periodic) -> Result<Bytes, Invalid> {
    let payload = (periodic.payload)()
        .map_err(|error| Invalid::because(format!("its payload does not serialize to JSON: {error}")))?;
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(Invalid::because(format!(
            "its payload has {} bytes; Cloud Scheduler accepts at most {MAX_PAYLOAD_BYTES} for a whole job",
            payload.len()
        )));
    }
    Ok(payload)
}

/// The headers of every run, except those that Cloud Scheduler sets.
pub(crate) fn headers(options: &ScheduleOptions) -> Result<HeaderMap, Vec<Invalid>> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut errors = Vec::new();
    for (name, value) in options.headers {
        match own_header(name, value) {
            Ok((name, _)) if name.as_str().starts_with("x-cloudscheduler") => {
                errors.push(Invalid::because(format!(
                    "the header {:?} cannot be set: Cloud Scheduler sets it",
                    name.as_str()
                )));
            }
            Ok((name, value)) => {
                headers.insert(name, value);
            }
            Err(reason) => {
                errors.push(Invalid::because(reason.replace("Cloud Tasks", "Cloud Scheduler")));
            }
        }
    }
    if errors.is_empty() {
        Ok(headers)
    } else {
        Err(errors)
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule")
            .field("task", &self.task)
            .field("name", &self.name)
            .field("every", &self.every)
            .field("time_zone", &self.time_zone)
            .field("url", &self.url)
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}
