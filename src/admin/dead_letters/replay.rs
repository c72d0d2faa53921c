//! Running dead tasks again.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use uuid::Uuid;

use crate::admin::dead_letters::dead_tasks::{Choice, DeadTasks, UnreplayedTask};
use crate::backend::{Claim, DeadLetter};
use crate::base::headers::sent_header;
use crate::base::{DeadTask, Envelope, Error, ErrorKind, TaskMetadata, limits};

/// Dead tasks that are about to be enqueued again; nothing happens until this is awaited.
///
/// Each is enqueued under its name, with its body and its headers, to the queue that it came from, and with an id that is
/// made of the record's: a record that comes twice makes one task, as long as the id is remembered. Its record is
/// acknowledged only then. What is no record, or of a task that this runtime does not know, or was refused, stays where it
/// is, and the [report](Replayed) says so. See [`DeadTasks`] for an example.
#[must_use = "nothing is enqueued until this is awaited"]
pub struct Replay {
    course: Course,
    progress: Box<dyn FnMut(&Replayed) + Send>,
}

/// Which tasks, and where to.
#[derive(Debug)]
struct Course {
    dead: DeadTasks,
    choice: Choice,
    queue: Option<String>,
}

/// What a replay came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Replayed {
    /// How many tasks were enqueued again.
    pub replayed: usize,
    /// How many were not meant, since they have another name.
    pub skipped: usize,
    /// Those that stay where they are, and why.
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

    /// Only tasks of this name.
    ///
    /// The others are held meanwhile, and Pub/Sub hands out 1,000 at once: where so many stand before the first of this name,
    /// it is not found.
    pub fn task(mut self, name: impl Into<String>) -> Self {
        self.course.choice.task = Some(name.into());
        self
    }

    /// Enqueues at most so many; all of them, unless it is said.
    pub fn limit(mut self, tasks: usize) -> Self {
        self.course.choice.limit = tasks;
        self
    }

    /// Sends them to this queue, instead of the one that each came from.
    pub fn to_queue(mut self, queue: impl Into<String>) -> Self {
        self.course.queue = Some(queue.into());
        self
    }

    /// Sets after how long a time without a message there are no more; default 5 seconds. The local engine knows it at once.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.course.choice.idle_timeout = time;
        self
    }

    /// Is told after each one what the replay has come to so far.
    pub fn on_progress(mut self, progress: impl FnMut(&Replayed) + Send + 'static) -> Self {
        self.progress = Box::new(progress);
        self
    }

    async fn run(self) -> Result<Replayed, Error> {
        let Self { course, mut progress } = self;
        let mut report = Replayed::default();
        let mut letters = course.dead.open(&course.choice).await?;
        // Held, so that what stays does not come again in this replay.
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
                let message = format!("the replay broke off, after {count} tasks that were enqueued again");
                Err(Error::unavailable(message, true).with_source(error))
            }
        }
    }
}

impl Course {
    /// Enqueues one, unless it stays; `false` where the others would fare no better.
    async fn one(&self, letter: DeadLetter, report: &mut Replayed, held: &mut Vec<Box<dyn Claim>>) -> bool {
        let (left, goes_on) = match DeadTask::decode(&letter.data) {
            Err(mistake) => (UnreplayedTask::unread(&letter, &mistake), true),
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
        let name = &task.task;
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
            task: name.clone().into(),
            queue: queue.unwrap_or(config.default_queue()).to_owned(),
            id: Some(id.simple().to_string()),
            url: config.task_url(name),
            body: task.body.clone(),
            headers,
            schedule_time: None,
            timeout: timeout.or(registration.timeout),
        };
        limits::check(&envelope, config, runtime.now())?;
        runtime.send_task(envelope).await.map(drop)
    }
}

/// The headers of a record, which somebody else may have written: those that a task can have.
fn headers(task: &DeadTask) -> HeaderMap {
    let own = task
        .headers
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
