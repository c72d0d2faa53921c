//! Replaying dead tasks.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use uuid::Uuid;

use crate::admin::dead_letters::dead_tasks::{Choice, DeadTasks, UnreplayedTask};
use crate::backend::{Claim, DeadLetter};
use crate::base::headers::sent_header;
use crate::base::{DeadTask, Envelope, Error, ErrorKind, TaskMetadata, limits};

/// A replay of dead tasks; nothing happens until it is awaited.
///
/// Each task is enqueued with its name, body and headers, to its former queue, and with an id derived from the
/// record's. A record that is delivered twice creates one task, as long as Cloud Tasks remembers the id. The record is
/// acknowledged only after the enqueue has succeeded. Messages that are not records, records of unknown tasks and
/// records that are rejected stay in place, and the [report](Replayed) lists them. See [`DeadTasks`] for an example.
#[must_use = "nothing is enqueued until this is awaited"]
pub struct Replay {
    course: Course,
    progress: Box<dyn FnMut(&Replayed) + Send>,
}

/// The selection, and the target queue.
#[derive(Debug)]
struct Course {
    dead: DeadTasks,
    choice: Choice,
    queue: Option<String>,
}

/// The result of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Replayed {
    /// The number of tasks that were enqueued again.
    pub replayed: usize,
    /// The number of tasks that were skipped because of their name.
    pub skipped: usize,
    /// The tasks that were not replayed, and why.
    pub left: Vec<UnreplayedTask>,
}

impl Replay {
    pub(crate) fn new(dead: DeadTasks) -> Self {
        Self {
            course: Course {
                dead,
                choice: Choice::all(),
                queue: None,
            },
            progress: Box::new(|_| {}),
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

    async fn run(self) -> Result<Replayed, Error> {
        let Self { course, mut progress } = self;
        let mut report = Replayed::default();
        let mut letters = course.dead.open(&course.choice).await?;
        // Leased, so that a task that stays does not arrive again in this replay.
        let mut held = Vec::new();
        let read = loop {
            if report.replayed >= course.choice.limit {
                break Ok(());
            }
            match letters.next().await {
                Ok(Some(letter)) => {
                    let goes_on = course.one(letter, &mut report, &mut held).await;
                    progress(&report);
                    if !goes_on {
                        break Ok(());
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        letters.close(held).await;
        match read {
            Ok(()) => Ok(report),
            Err(error) if report.replayed == 0 => Err(error),
            Err(error) => {
                let count = report.replayed;
                let message = format!("the replay stopped after enqueueing {count} tasks again");
                Err(Error::unavailable(message).with_source(error))
            }
        }
    }
}

impl Course {
    /// Replays one task, unless it stays. Returns `false` if the others would fail as well.
    async fn one(&self, letter: DeadLetter, report: &mut Replayed, held: &mut Vec<Box<dyn Claim>>) -> bool {
        let (left, goes_on) = match DeadTask::decode(&letter.data) {
            Err(reason) => (UnreplayedTask::unread(&letter, &reason), true),
            Ok(task) if !self.choice.takes(&task) => {
                report.skipped += 1;
                held.push(letter.claim);
                return true;
            }
            Ok(task) => match self.enqueue(&task, &letter.id).await {
                Ok(()) => {
                    letter.claim.acknowledge();
                    report.replayed += 1;
                    return true;
                }
                Err(error) => {
                    let goes_on = error.kind() != ErrorKind::Unavailable;
                    (UnreplayedTask::new(&letter, &task, format!("{error:#}")), goes_on)
                }
            },
        };
        report.left.push(left);
        held.push(letter.claim);
        goes_on
    }

    async fn enqueue(&self, task: &DeadTask, message_id: &str) -> Result<(), Error> {
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
            body: Bytes::copy_from_slice(task.body()),
            headers,
            schedule_time: None,
            timeout: timeout.or(registration.timeout),
        };
        limits::check(&envelope, config, runtime.now())?;
        runtime.send_task(envelope).await.map(drop)
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
    type Output = Result<Replayed, Error>;
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
