//! The local scheduler: runs schedules when they are due, with the requests of Cloud Scheduler.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use cloud_tasks_rules::limits::DISPATCH_DEADLINE;
use http::{HeaderValue, Request, header};
use serde_json::json;
use tokio::sync::{Notify, OnceCell};

use crate::backend::local::emulator::{Emulator, seconds};
use crate::backend::local::push_queue::queue_id;
use crate::base::text::error_chain;
use crate::base::{BoxError, Clock, job_headers};
use crate::registry::schedule::{DEFAULT_DEADLINE, Schedule};

/// The prefix of the paths of runs; no queue has such a name.
pub(crate) const PATH: &str = "/.schedules/";

const USER_AGENT: &str = "Google-Cloud-Scheduler";
/// How long the relay may take in addition to the request, before the emulator gives up the attempt.
const MARGIN: Duration = Duration::from_secs(30);
/// The service backs off for 5 seconds to 1 hour, which is not useful on a laptop unless it is configured.
const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(10);
const MAX_DOUBLINGS: u32 = 5;
/// How often the clock is read. It may be set by a test, or have stopped while the machine slept.
const LOOK: Duration = Duration::from_secs(1);

/// A Cloud Scheduler for the schedules of one runtime.
pub(crate) struct Scheduler {
    emulator: Arc<Emulator>,
    /// The base URL of the relay.
    relay: String,
    location: String,
    clock: Clock,
    /// Set when the runtime is built.
    jobs: OnceLock<Vec<Job>>,
    known: Notify,
}

/// A schedule and the emulator's queue that makes its requests.
struct Job {
    schedule: Schedule,
    queue: String,
    made: OnceCell<()>,
    /// When it is first due.
    first: Option<SystemTime>,
    /// When the latest run was due. It replaces an earlier run that still fails.
    latest: Mutex<SystemTime>,
}

impl Job {
    fn new(schedule: &Schedule, now: SystemTime) -> Self {
        Self {
            schedule: schedule.clone(),
            queue: queue_id(&schedule.name),
            made: OnceCell::new(),
            first: schedule.next_after(now),
            latest: Mutex::new(SystemTime::UNIX_EPOCH),
        }
    }

    fn is_latest(&self, due: SystemTime) -> bool {
        due >= *self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, due: SystemTime) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = due.max(*latest);
    }

    /// Forgets runs that are due later than now, after the clock was set back: they no longer replace others.
    fn set_back(&self, now: SystemTime) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = now.min(*latest);
    }

    fn deadline(&self) -> Duration {
        self.schedule.attempt_deadline.unwrap_or(DEFAULT_DEADLINE)
    }

    fn queue_settings(&self) -> serde_json::Value {
        let Schedule {
            max_retries,
            min_backoff,
            max_backoff,
            max_doublings,
            ..
        } = &self.schedule;
        let min = min_backoff.unwrap_or_else(|| max_backoff.unwrap_or(MIN_BACKOFF).min(MIN_BACKOFF));
        let max = max_backoff.unwrap_or_else(|| MAX_BACKOFF.max(min));
        json!({
            "retryConfig": {
                "maxAttempts": max_retries.unwrap_or(0) + 1,
                "minBackoff": seconds(min),
                "maxBackoff": seconds(max),
                "maxDoublings": max_doublings.unwrap_or(MAX_DOUBLINGS),
            },
            // A run waits for the end of the previous attempt.
            "rateLimits": {"maxConcurrentDispatches": 1},
        })
    }
}

impl Scheduler {
    pub fn new(emulator: Arc<Emulator>, relay: String, project: &str, clock: Clock) -> Self {
        Self {
            emulator,
            relay,
            // A separate location, where no task can have a queue.
            location: format!("projects/{project}/locations/schedules"),
            clock,
            jobs: OnceLock::new(),
            known: Notify::new(),
        }
    }

    /// Runs these schedules from now on. Only the first call has an effect.
    pub fn add(&self, schedules: &[Schedule]) {
        self.jobs.get_or_init(|| {
            let now = self.clock.now();
            let job = |schedule| Job::new(schedule, now);
            schedules.iter().map(job).collect()
        });
        self.known.notify_one();
    }

    /// Starts runs when they are due.
    pub async fn run(&self) -> Infallible {
        self.known.notified().await;
        let jobs = self.jobs.get().map(Vec::as_slice).unwrap_or_default();
        if jobs.is_empty() {
            return pending().await;
        }
        let mut agenda = Agenda::new(jobs, self.clock.now());
        loop {
            let now = self.clock.now();
            for (at, due) in agenda.take_due(jobs, now) {
                if let Err(error) = self.start(at, due).await {
                    tracing::error!(job = jobs[at].schedule.name, error = %error_chain(&*error), "the run did not start");
                }
            }
            tokio::time::sleep(agenda.pause(self.clock.now())).await;
        }
    }

    /// Starts a run of the job, or of the task, with this name.
    pub async fn run_now(&self, name: &str) -> Result<(), BoxError> {
        let jobs = self.jobs.get().into_iter().flatten();
        let is_meant = |job: &Job| job.schedule.name == name || job.schedule.task == name;
        let Some(at) = jobs.clone().position(is_meant) else {
            let names: Vec<_> = jobs.map(|job| job.schedule.task).collect();
            let names = if names.is_empty() {
                "no task has one".to_owned()
            } else {
                format!("there are those of {}", names.join(", "))
            };
            return Err(format!("there is no schedule {name:?}: {names}").into());
        };
        self.start(at, self.clock.now()).await
    }

    /// Creates the task that runs a job.
    async fn start(&self, at: usize, due: SystemTime) -> Result<(), BoxError> {
        let Some(job) = self.jobs.get().and_then(|jobs| jobs.get(at)) else {
            return Ok(());
        };
        let (location, queue) = (&self.location, &job.queue);
        job.made
            .get_or_try_init(|| self.emulator.create_queue(location, queue, job.queue_settings()))
            .await?;
        job.begin(due);
        let since = due.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let url = format!("{}{PATH}{at}/{}", self.relay, since.as_nanos());
        let deadline = (job.deadline() + MARGIN).min(DISPATCH_DEADLINE.max);
        self.emulator
            .create_task(&format!("{location}/queues/{queue}"), &url, deadline)
            .await
    }

    /// The location and the ids of the queues with runs.
    pub fn queues(&self) -> (&str, impl Iterator<Item = &str>) {
        let jobs = self.jobs.get().into_iter().flatten();
        let used = jobs.filter(|job| job.made.initialized());
        (&self.location, used.map(|job| job.queue.as_str()))
    }

    /// Makes one attempt of a run. Returns `false` if it must be retried.
    pub async fn attempt(&self, path: &str, token: Option<HeaderValue>) -> bool {
        let Some((job, due)) = self.find(path) else {
            return true;
        };
        let name = &job.schedule.name;
        let Err(error) = self.request(job, due, token).await else {
            return true;
        };
        tracing::warn!(job = name, error = %error_chain(&*error), "the run failed");
        // The service, too, retries only until the next run is due.
        !job.is_latest(due)
    }

    fn find(&self, path: &str) -> Option<(&Job, SystemTime)> {
        let (at, since) = path.strip_prefix(PATH)?.split_once('/')?;
        let job = self.jobs.get()?.get(at.parse::<usize>().ok()?)?;
        let since = Duration::from_nanos(since.parse().ok()?);
        Some((job, SystemTime::UNIX_EPOCH.checked_add(since)?))
    }

    /// Calls the schedule's URL as Cloud Scheduler does.
    async fn request(&self, job: &Job, due: SystemTime, token: Option<HeaderValue>) -> Result<(), BoxError> {
        let schedule = &job.schedule;
        let mut request = Request::post(&schedule.url)
            .header(header::USER_AGENT, USER_AGENT)
            .body(schedule.payload.clone())?;
        let headers = request.headers_mut();
        headers.extend(schedule.headers.clone());
        headers.extend(job_headers(&schedule.name, due));
        if let Some(token) = token.filter(|_| schedule.oidc) {
            headers.insert(header::AUTHORIZATION, token);
        }
        let response = self.emulator.call(request, job.deadline()).await;
        match response.map_err(|error| format!("{}: {}", schedule.url, error_chain(&error)))? {
            status if status.is_success() => Ok(()),
            status => Err(format!("{} answered {status}", schedule.url).into()),
        }
    }
}

/// When each job is due next.
struct Agenda {
    next: Vec<Option<SystemTime>>,
    /// When the clock was last read.
    read: SystemTime,
}

impl Agenda {
    fn new(jobs: &[Job], now: SystemTime) -> Self {
        Self {
            next: jobs.iter().map(|job| job.first).collect(),
            read: now,
        }
    }

    /// The jobs that are due, and since when. A job that was due several times runs once.
    fn take_due(&mut self, jobs: &[Job], now: SystemTime) -> Vec<(usize, SystemTime)> {
        if now < self.read {
            // The clock was set back, and what is due next by the earlier time comes again.
            for (job, next) in jobs.iter().zip(&mut self.next) {
                *next = job.schedule.next_after(now);
                job.set_back(now);
            }
        }
        self.read = now;
        let mut due_jobs = Vec::new();
        for (at, (job, next)) in jobs.iter().zip(&mut self.next).enumerate() {
            if let Some(due) = next.filter(|due| *due <= now) {
                due_jobs.push((at, due));
                *next = job.schedule.next_after(now);
            }
        }
        due_jobs
    }

    /// How long until the next job is due.
    fn pause(&self, now: SystemTime) -> Duration {
        let next = self.next.iter().flatten().min();
        let left = next.map(|next| next.duration_since(now).unwrap_or_default());
        left.unwrap_or(LOOK).min(LOOK)
    }
}
