//! Replaying dead tasks.

use std::fmt;
use std::future::pending;
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{Either, Fuse, FusedFuture, select};
use http::{HeaderMap, HeaderValue, header};
use uuid::Uuid;

use crate::admin::dead_letters::dead_tasks::{Choice, DeadTasks, UnreplayedTask};
use crate::admin::dead_letters::reading::{Read, Reading};
use crate::admin::dead_letters::report::{ReplayEnd, ReplayError, Replayed};
use crate::backend::{Claim, DeadLetter};
use crate::base::headers::sent_header;
use crate::base::{DeadTask, Enqueued, Envelope, Error, ErrorKind, TaskMetadata, limits};

/// How long a replay that is to stop waits for the response to its last enqueue.
const GRACE: Duration = Duration::from_secs(5);

/// A replay of dead tasks; nothing happens until it is awaited.
///
/// Each task is enqueued with its name, body and headers, to its former queue, and with an id derived from the
/// record's. A record that is delivered twice creates one task, as long as Cloud Tasks remembers the id. The record is
/// acknowledged only after the enqueue has succeeded: with the next nine, or after a second. Messages that are not records,
/// records of unknown tasks and records that are rejected stay in place, and the [report](Replayed) lists them. See
/// [`DeadTasks`] for an example.
///
/// Calls that fail for a moment are repeated. A replay ends in an orderly way for any reason: it sends the acknowledgements
/// and returns the records that it has not replayed. If its future is dropped instead, up to ten acknowledgements may be
/// lost, and other records are invisible until their lease ends, up to 10 minutes; [`stop_when`](Self::stop_when) avoids that.
///
/// # Errors
///
/// If the records cannot be read or acknowledged, or if Cloud Tasks is unavailable: then the others would fail as well.
/// The [`ReplayError`] has the report.
#[must_use = "nothing is enqueued until this is awaited"]
pub struct Replay {
    course: Course,
    progress: Box<dyn FnMut(&Replayed) + Send>,
    stop: Stop,
}

type Stop = Fuse<Pin<Box<dyn Future<Output = ()> + Send>>>;

/// The selection, and the target queue.
#[derive(Debug)]
struct Course {
    dead: DeadTasks,
    choice: Choice,
    queue: Option<String>,
}

impl Replay {
    pub(crate) fn new(dead: DeadTasks) -> Self {
        let never: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(pending());
        Self {
            course: Course {
                dead,
                choice: Choice::all(),
                queue: None,
            },
            progress: Box::new(|_| {}),
            stop: never.fuse(),
        }
    }

    /// Selects only tasks with this name.
    ///
    /// The others are leased in the meantime, and Pub/Sub leases at most 1,000 at once: if that many come before the
    /// first selected task, it is not found.
    pub fn task(mut self, name: impl Into<String>) -> Self {
        self.course.choice.task = Some(name.into());
        self
    }

    /// Sets the maximum number of tasks; unlimited by default.
    pub fn limit(mut self, tasks: usize) -> Self {
        self.course.choice.limit = tasks;
        self
    }

    /// Sends the tasks to this queue, instead of their former queues.
    pub fn to_queue(mut self, queue: impl Into<String>) -> Self {
        self.course.queue = Some(queue.into());
        self
    }

    /// Sets how long to wait for another message before the replay ends; default 5 seconds. The local engine does not
    /// need to wait.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.course.choice.idle_timeout = time;
        self
    }

    /// Sets a callback that receives the result so far after each task.
    pub fn on_progress(mut self, progress: impl FnMut(&Replayed) + Send + 'static) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// Stops the replay in an orderly way when this future completes, for example at Ctrl-C. The task that is being enqueued
    /// gets 5 more seconds.
    ///
    /// ```no_run
    /// # async fn replay(runtime: cloud_tasks::Runtime) -> Result<(), cloud_tasks::dead_letters::ReplayError> {
    /// let ctrl_c = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    /// let report = runtime.dead_tasks("dead-tasks").replay().stop_when(ctrl_c).await?;
    /// println!("{report}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop_when(mut self, stop: impl Future<Output = ()> + Send + 'static) -> Self {
        let stop: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(stop);
        self.stop = stop.fuse();
        self
    }

    async fn run(self) -> Result<Replayed, ReplayError> {
        let Self {
            course,
            mut progress,
            stop,
        } = self;
        let letters = match course.dead.open(&course.choice).await {
            Ok(letters) => letters,
            Err(error) => return Err(ReplayError::new(Replayed::default(), error)),
        };
        let mut run = Run {
            course,
            letters,
            stop,
            held: Vec::new(),
            report: Replayed::default(),
        };
        let end = loop {
            match run.next().await {
                Ok(Some(end)) => break Ok(end),
                Ok(None) => progress(&run.report),
                Err(error) => break Err(error),
            }
        };
        let Run {
            letters,
            held,
            mut report,
            ..
        } = run;
        let closed = letters.close(held).await;
        report.returned = closed.unread;
        report.unacknowledged = closed.unacknowledged;
        match (end, closed.error) {
            (Err(error), _) | (Ok(_), Some(error)) => Err(ReplayError::new(report, error)),
            (Ok(end), None) => {
                report.end = Some(end);
                Ok(report)
            }
        }
    }
}

/// A replay that runs.
struct Run {
    course: Course,
    letters: Reading,
    stop: Stop,
    /// Leased, so that a task that stays does not arrive again in this replay.
    held: Vec<Box<dyn Claim>>,
    report: Replayed,
}

impl Run {
    /// Reads and replays one record. Returns why the replay ends, if it does.
    async fn next(&mut self) -> Result<Option<ReplayEnd>, Error> {
        if self.stop.is_terminated() {
            return Ok(Some(ReplayEnd::Stopped));
        }
        let choice = &self.course.choice;
        let missing = choice.limit.saturating_sub(self.report.replayed);
        if missing == 0 {
            return Ok(Some(ReplayEnd::Limit));
        }
        let letter = {
            let reading = pin!(self.letters.next(choice.ahead(missing)));
            match select(&mut self.stop, reading).await {
                Either::Left(_) => return Ok(Some(ReplayEnd::Stopped)),
                Either::Right((read, _)) => match read? {
                    Read::Letter(letter) => letter,
                    Read::NoMore => return Ok(Some(ReplayEnd::NoMore)),
                    Read::Full => return Ok(Some(ReplayEnd::Full)),
                },
            }
        };
        self.replay(letter).await.map(|()| None)
    }

    /// Replays one record, unless it stays. Fails if the others would fail as well.
    async fn replay(&mut self, letter: DeadLetter) -> Result<(), Error> {
        let report = &mut self.report;
        let task = match DeadTask::decode(&letter.data) {
            Ok(task) if self.course.choice.takes(&task) => task,
            Ok(_) => {
                report.skipped += 1;
                self.held.push(letter.claim);
                return Ok(());
            }
            Err(reason) => {
                report.left.push(UnreplayedTask::unread(&letter, &reason));
                self.held.push(letter.claim);
                return Ok(());
            }
        };
        let unreplayed = |reason| UnreplayedTask::new(&letter, &task, reason);
        let envelope = match self.course.envelope(&task, &letter.id) {
            Ok(envelope) => envelope,
            Err(error) => {
                report.left.push(unreplayed(format!("{error:#}")));
                self.held.push(letter.claim);
                return Ok(());
            }
        };
        let Some(sent) = send(&self.course.dead, envelope, &mut self.stop).await else {
            let reason =
                "the replay was stopped before there was a response: the task may have been enqueued";
            report.failed.push(unreplayed(reason.to_owned()));
            self.held.push(letter.claim);
            return Ok(());
        };
        match sent {
            Ok(enqueued) => {
                letter.claim.acknowledge();
                if enqueued.duplicate() {
                    report.duplicates += 1;
                } else {
                    report.replayed += 1;
                }
                Ok(())
            }
            Err(error) => {
                report.failed.push(unreplayed(format!("{error:#}")));
                self.held.push(letter.claim);
                match error.kind() {
                    ErrorKind::Unavailable => Err(error),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// Enqueues a task; `None` if the replay is to stop and there is no response in time.
async fn send(dead: &DeadTasks, envelope: Envelope, stop: &mut Stop) -> Option<Result<Enqueued, Error>> {
    let sending = pin!(dead.runtime().send_task(envelope));
    match select(sending, stop).await {
        Either::Left((sent, _)) => Some(sent),
        Either::Right(((), sending)) => tokio::time::timeout(GRACE, sending).await.ok(),
    }
}

impl Course {
    /// The task of a record.
    fn envelope(&self, task: &DeadTask, message_id: &str) -> Result<Envelope, Error> {
        let runtime = self.dead.runtime();
        let config = runtime.config();
        let name = task.task();
        let entry = runtime.registry().by_name(name).ok_or_else(|| {
            Error::new(
                ErrorKind::UnknownTask,
                format!("this runtime has no task {name:?}"),
            )
        })?;
        let registration = &entry.registration;
        let queue = self.queue.as_deref().or(task.queue()).or(registration.queue);
        let headers = headers(task);
        let timeout = TaskMetadata::from_headers(headers.clone()).timeout();
        let subscription = self.dead.letters().subscription;
        let id = Uuid::new_v5(
            &Uuid::NAMESPACE_URL,
            format!("{subscription}/{message_id}").as_bytes(),
        );
        let envelope = Envelope {
            task: name.to_owned().into(),
            queue: queue.unwrap_or(config.default_queue()).to_owned(),
            id: Some(id.simple().to_string()),
            url: config.task_url(name),
            service: None,
            body: Bytes::copy_from_slice(task.body()),
            headers,
            schedule_time: None,
            timeout: timeout.or(registration.timeout),
        };
        limits::check(&envelope, config, runtime.now())?;
        Ok(envelope)
    }
}

/// The headers of a record that are valid for a task: somebody else may have written the record.
fn headers(task: &DeadTask) -> HeaderMap {
    let own = task
        .headers()
        .iter()
        .filter_map(|(name, value)| sent_header(name, value));
    let mut headers: HeaderMap = own.collect();
    headers
        .entry(header::CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    headers
}

impl IntoFuture for Replay {
    type Output = Result<Replayed, ReplayError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("course", &self.course)
            .finish_non_exhaustive()
    }
}
