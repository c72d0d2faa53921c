//! Running recorded tasks.

use std::fmt;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use super::Recorder;
use super::state::{Record, What};
use crate::base::{Envelope, Error, ErrorKind, RetryAfter, job_headers, names};
use crate::runtime::{RunAt, Runtime};

/// How much runs in a drain, or at one time of its clock, before it is taken for one without an end.
const MAX_RUNS: usize = 100_000;

/// A drain of a recorder; nothing runs until it is awaited.
///
/// It returns the number of runs. A task that discards itself counts as a success.
///
/// ```
/// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// #[derive(Debug, Serialize, Deserialize)]
/// struct Flaky;
///
/// #[task]
/// impl Task for Flaky {
///     async fn run(self, cx: Context) -> TaskResult {
///         if cx.metadata().attempt() < 3 {
///             Err("not yet")?;
///         }
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// Flaky.asap().on(&runtime).await?;
/// assert_eq!(recorder.drain().attempts(3).await?, 3);
///
/// Flaky.asap().on(&runtime).await?;
/// assert!(recorder.drain().attempts(2).await.is_err());
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing runs until this is awaited"]
pub struct Drain {
    recorder: Recorder,
    which: Which,
    attempts: Option<u32>,
    max_runs: usize,
}

enum Which {
    All,
    Due,
    Until(RunAt),
}

impl Recorder {
    /// Runs everything that was enqueued, in that order and whatever its time, and everything that the runs enqueue.
    ///
    /// A message is delivered to the subscribers of its topic in this process. Returns the number of tasks and
    /// messages.
    ///
    /// # Errors
    ///
    /// Fails with the first task that fails. That task is removed; those after it stay.
    pub fn drain(&self) -> Drain {
        self.drain_which(Which::All)
    }

    /// Runs everything that is due by the [clock](Self#the-clock), the earliest first, and everything that the runs
    /// enqueue and that is due as well.
    ///
    /// # Errors
    ///
    /// Fails with the first task that fails. That task is removed; those after it stay.
    pub fn drain_due(&self) -> Drain {
        self.drain_which(Which::Due)
    }

    /// Advances the clock from one due time to the next, and runs each task at its time.
    ///
    /// `until` is a time, or a duration from now, at which the clock stops. A task that enqueues itself again runs as
    /// often as it would by then.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # use std::time::Duration;
    /// #[derive(Debug, Serialize, Deserialize)]
    /// struct Poll;
    ///
    /// #[task]
    /// impl Task for Poll {
    ///     async fn run(self, _cx: Context) -> TaskResult {
    ///         Poll.later(Duration::from_secs(60)).await?;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, recorder) = Runtime::recorded().build().await?;
    /// Poll.asap().on(&runtime).await?;
    /// assert_eq!(recorder.drain_until(Duration::from_secs(600)).await?, 11);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Fails with the first task that fails. That task is removed, those after it stay, and the clock stands at its
    /// time.
    pub fn drain_until(&self, until: impl Into<RunAt>) -> Drain {
        self.drain_which(Which::Until(until.into()))
    }

    fn drain_which(&self, which: Which) -> Drain {
        Drain {
            recorder: self.clone(),
            which,
            attempts: None,
            max_runs: MAX_RUNS,
        }
    }

    /// Removes the record that was enqueued first.
    fn take_first(&self) -> Option<Record> {
        self.shared.tasks().take_first()
    }

    /// Removes the earliest record that is due by this time, schedules included.
    fn take_due(&self, runtime: &Runtime, by: SystemTime) -> Option<Record> {
        let mut tasks = self.shared.tasks();
        let place = tasks.first_due(by);
        let due = place.and_then(|place| Some(tasks.waiting.get(place)?.due()));
        if let Some((schedule, time)) = tasks.first_schedule(due.map_or(by, |due| due.min(by))) {
            let schedule_of = &runtime.schedules()[schedule];
            tasks.schedules[schedule] = schedule_of.next_after(time);
            return Some(scheduled_run(runtime, schedule, time));
        }
        tasks.waiting.remove(place?)
    }
}

/// The run of a schedule that is due at this time.
fn scheduled_run(runtime: &Runtime, place: usize, time: SystemTime) -> Record {
    let schedule = &runtime.schedules()[place];
    let entry = runtime.registry().by_name(schedule.task);
    let queue = entry.and_then(|entry| entry.registration.queue);
    let mut headers = schedule.headers.clone();
    headers.extend(job_headers(&schedule.name, time));
    let envelope = Envelope {
        task: schedule.task.into(),
        queue: queue.unwrap_or(runtime.config().default_queue()).to_owned(),
        id: None,
        url: schedule.url.clone(),
        body: schedule.payload.clone(),
        headers,
        schedule_time: Some(time),
        timeout: None,
        service: None,
    };
    Record {
        id: names::random_task_id(),
        what: What::Task(Box::new(envelope)),
        recorded_at: time,
        retries: 0,
        paused_until: None,
    }
}

impl Drain {
    /// Sets the maximum number of attempts of each task; default 1, at least 1.
    ///
    /// The attempts are numbered, and the last one [knows it](crate::task::TaskMetadata::is_last_attempt). An attempt
    /// that asked for a [delay](crate::RetryAfter) is due after it. A failed message is not delivered again.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts.max(1));
        self
    }

    /// Sets how many runs are too many: a drain with more fails; default 100,000.
    ///
    /// A task that enqueues itself never ends a [`drain`](Recorder::drain). In [`drain_until`](Recorder::drain_until) the
    /// runs at one time of the clock are counted. A drain can also be cancelled between two runs, for example by
    /// `tokio::time::timeout`.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Serialize, Deserialize)]
    /// struct Heartbeat;
    ///
    /// #[task]
    /// impl Task for Heartbeat {
    ///     async fn run(self, _cx: Context) -> TaskResult {
    ///         Heartbeat.asap().await?;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, recorder) = Runtime::recorded().build().await?;
    /// Heartbeat.asap().on(&runtime).await?;
    /// let error = recorder.drain().max_runs(10).await.unwrap_err();
    /// assert!(error.to_string().contains("10 runs"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_runs(mut self, runs: usize) -> Self {
        self.max_runs = runs;
        self
    }

    async fn run(self) -> Result<usize, Error> {
        let Some(runtime) = &self.recorder.runtime else {
            return Ok(0);
        };
        let time = &self.recorder.shared.time;
        let limit = match self.which {
            Which::Until(when) => Some(when.from(time.stop())),
            Which::All | Which::Due => None,
        };
        let (mut ran, mut ran_at_this_time) = (0, 0);
        while let Some(record) = self.next(runtime, limit) {
            if limit.is_some() {
                let before = time.now();
                // Overdue records stay due; the clock does not go back for them.
                let _ = time.advance_to(record.due());
                if time.now() > before {
                    ran_at_this_time = 0;
                }
            }
            if ran_at_this_time >= self.max_runs {
                let error = endless(&record, self.max_runs);
                self.recorder.shared.tasks().waiting.push_front(record);
                return Err(error);
            }
            self.attempt(runtime, record).await?;
            ran += 1;
            ran_at_this_time += 1;
            // Tasks may never wait for anything, and then nothing else, such as a time limit, would get its turn.
            tokio::task::yield_now().await;
        }
        if let Some(limit) = limit {
            let _ = time.advance_to(limit);
        }
        Ok(ran)
    }

    fn next(&self, runtime: &Runtime, limit: Option<SystemTime>) -> Option<Record> {
        match (&self.which, limit) {
            (Which::All, _) => self.recorder.take_first(),
            (_, Some(limit)) => self.recorder.take_due(runtime, limit),
            (_, None) => self.recorder.take_due(runtime, self.recorder.now()),
        }
    }

    /// Runs a task or delivers a message. A failed task with attempts left is put back.
    async fn attempt(&self, runtime: &Runtime, mut record: Record) -> Result<(), Error> {
        self.recorder.shared.tasks().done.push(record.clone());
        let envelope = match &record.what {
            What::Message(publication) => return runtime.deliver(publication, &record.id).await,
            What::Task(envelope) => envelope,
        };
        let mut metadata = envelope
            .first_attempt(&record.id)
            .with_retry_count(record.retries)
            .with_eta(record.due());
        if let Some(attempts) = self.attempts {
            metadata = metadata.with_max_attempts(attempts);
        }
        let outcome = runtime.run_attempt(envelope, metadata).await;
        match outcome {
            Err(error)
                if !error.is_discarded()
                    && record.retries + 1 < self.attempts.unwrap_or(1)
                    && error.is_task() =>
            {
                record.retries += 1;
                record.paused_until = pause(&error).and_then(|pause| self.recorder.now().checked_add(pause));
                self.recorder.shared.tasks().waiting.push_back(record);
                Ok(())
            }
            outcome => {
                self.recorder.shared.end(envelope.queue(), &record.id);
                outcome.or_else(|error| if error.is_discarded() { Ok(()) } else { Err(error) })
            }
        }
    }
}

/// The error of a drain that has no end.
fn endless(next: &Record, runs: usize) -> Error {
    let next = match &next.what {
        What::Task(envelope) => format!("task {}", envelope.task()),
        What::Message(publication) => format!("a message to topic {}", publication.topic()),
    };
    Error::new(
        ErrorKind::TaskFailed,
        format!(
            "the drain was stopped after {runs} runs, before {next}: it seems to have no end, as with a task that enqueues \
             itself; use `drain_until(..)` for such a task, or raise `.max_runs(..)`"
        ),
    )
}

/// The delay that a task asked for.
fn pause(error: &Error) -> Option<Duration> {
    if error.kind() != ErrorKind::TaskRetryAfter {
        return None;
    }
    let retry: &RetryAfter = std::error::Error::source(error)?.downcast_ref()?;
    Some(retry.delay())
}

impl IntoFuture for Drain {
    type Output = Result<usize, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").finish_non_exhaustive()
    }
}
