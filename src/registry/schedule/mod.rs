//! The schedules of periodic tasks: what Cloud Scheduler is told, and when they are due.

pub(crate) mod app_engine;
pub(crate) mod calendar;
pub(crate) mod cron;
pub(crate) mod options;
#[cfg(test)]
mod tests;
pub(crate) mod timing;

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use crate::base::{Config, names, own_header};

pub(crate) use options::Periodic;
pub use options::ScheduleOptions;
use timing::Timing;

const MAX_RETRIES: u32 = 5;
const MAX_DOUBLINGS: u32 = 5;
const MAX_DESCRIPTION_CHARS: usize = 500;
const MAX_PAYLOAD_BYTES: usize = 1_000_000;

/// What Cloud Scheduler uses where a job names no deadline.
pub(crate) const DEFAULT_DEADLINE: Duration = Duration::from_secs(3 * 60);

/// A Cloud Scheduler job as it is to be: every name final, the payload encoded. What is `None` is left to the service.
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
/// let config = Config::default().app_name("shop").endpoint("https://shop.example.com");
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
    /// When it is due, as Cloud Scheduler takes it: cron, with `@daily` and the like written out, or App Engine's words.
    pub every: String,
    /// The tz database's name of the zone that the times are of.
    pub time_zone: String,
    /// Where the request goes.
    pub url: String,
    /// The body of the request: the JSON of the task's arguments.
    pub payload: Bytes,
    /// The headers of the request, `Content-Type` included.
    pub headers: HeaderMap,
    /// How often a run that failed is tried again.
    pub max_retries: Option<u32>,
    /// The shortest pause before a run is tried again.
    pub min_backoff: Option<Duration>,
    /// The longest pause before a run is tried again.
    pub max_backoff: Option<Duration>,
    /// How often the pause doubles before it grows by the same step each time.
    pub max_doublings: Option<u32>,
    /// How long one attempt may take: as the schedule says, else the task's timeout.
    pub attempt_deadline: Option<Duration>,
    /// What the job is for, for people.
    pub description: Option<&'static str>,
    /// Whether requests carry a signed token.
    pub oidc: bool,
    timing: Timing,
}

impl Schedule {
    /// The first time after this one that it is due, by the wall clock of its zone.
    ///
    /// A time that the clock skips in spring does not come, one that it repeats in autumn comes twice. An interval such as
    /// `every 5 minutes` counts from the time that is given; the service counts from the end of the run before.
    ///
    /// `None` where no such time can be told by the clock.
    pub fn next_after(&self, time: SystemTime) -> Option<SystemTime> {
        self.timing.next_after(time)
    }

    /// Works out the schedule of the task of this name, defined at `location`, or everything that is wrong with it.
    pub(crate) fn new(
        task: &'static str,
        location: &str,
        periodic: &Periodic,
        timeout: Option<Duration>,
        config: &Config,
    ) -> Result<Self, Vec<String>> {
        let options = periodic.options;
        let mut mistakes = options.mistakes();
        let mut keep = |found: Vec<String>| mistakes.extend(found);
        let timing = Timing::parse(options.every, options.time_zone).map_err(&mut keep);
        let headers = headers(options).map_err(&mut keep);
        let payload = payload(periodic).map_err(|mistake| keep(vec![mistake]));
        let name = options.job_name(task, config);
        keep(names::job_mistake(&name).into_iter().collect());
        match (timing, headers, payload) {
            (Ok(timing), Ok(headers), Ok(payload)) if mistakes.is_empty() => Ok(Self {
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
                let place = |mistake| format!("the schedule of {task} ({location}): {mistake}");
                Err(mistakes.into_iter().map(place).collect())
            }
        }
    }
}

/// The arguments as JSON, which are the same for every run.
fn payload(periodic: &Periodic) -> Result<Bytes, String> {
    let payload =
        (periodic.payload)().map_err(|error| format!("its payload does not serialize to JSON: {error}"))?;
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(format!(
            "its payload has {} bytes; Cloud Scheduler takes at most {MAX_PAYLOAD_BYTES} for a whole job",
            payload.len()
        ));
    }
    Ok(payload)
}

/// The headers of every run, but for those that Cloud Scheduler sets.
pub(crate) fn headers(options: &ScheduleOptions) -> Result<HeaderMap, Vec<String>> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut mistakes = Vec::new();
    for (name, value) in options.headers {
        match own_header(name, value) {
            Ok((name, _)) if name.as_str().starts_with("x-cloudscheduler") => {
                mistakes.push(format!(
                    "the header {:?} cannot be set: Cloud Scheduler sets it",
                    name.as_str()
                ));
            }
            Ok((name, value)) => {
                headers.insert(name, value);
            }
            Err(mistake) => mistakes.push(mistake.replace("Cloud Tasks", "Cloud Scheduler")),
        }
    }
    if mistakes.is_empty() {
        Ok(headers)
    } else {
        Err(mistakes)
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
