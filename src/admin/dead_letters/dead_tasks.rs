//! The dead tasks of a topic, for whoever looks after them.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;

use crate::admin::dead_letters::list::ListDead;
use crate::admin::dead_letters::replay::Replay;
use crate::backend::{DeadLetter, DeadLetterReader, Reading};
use crate::base::{DeadTask, Error, ErrorKind};
use crate::registry::dead_letter::DeadLetters;
use crate::registry::topic::Topic;
use crate::runtime::Runtime;

/// As many as Pub/Sub hands out before one is acknowledged.
const AT_ONCE: u32 = 1000;
/// Pub/Sub does not say that it has no more messages, so silence has to do.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// The dead tasks of a topic: to be looked at, and to be run again. Made by [`Runtime::dead_tasks`].
///
/// ```no_run
/// use cloud_tasks::{Config, Runtime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let runtime = Runtime::builder().config(Config::from_env()?).dead_letter_topic("dead-tasks").build().await?;
/// let dead = runtime.dead_tasks("dead-tasks");
/// for task in dead.list().limit(20).await?.tasks {
///     println!("{} died after {} attempts: {}", task.task(), task.attempts(), task.error());
/// }
/// let report = dead.replay().task("Charge").limit(100).await?;
/// println!("{} run again", report.replayed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DeadTasks {
    runtime: Runtime,
    topic: Topic,
}

impl Runtime {
    /// The dead tasks that were recorded to a topic: its base name, or its full path.
    ///
    /// They are in the subscription that is called like the topic, where [`setup`](Self::setup) has made it, or in the local
    /// engine, which keeps those of the topics that the runtime knows.
    pub fn dead_tasks(&self, topic: impl Into<Cow<'static, str>>) -> DeadTasks {
        DeadTasks {
            runtime: self.clone(),
            topic: Topic::new(topic),
        }
    }
}

impl DeadTasks {
    /// Looks at them, and leaves them where they are.
    pub fn list(&self) -> ListDead {
        ListDead::new(self.clone())
    }

    /// Enqueues them again.
    pub fn replay(&self) -> Replay {
        Replay::new(self.clone())
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Those of a topic that the runtime knows.
    #[cfg(feature = "cli")]
    pub(crate) fn of(runtime: &Runtime, letters: &DeadLetters) -> Self {
        Self {
            runtime: runtime.clone(),
            topic: Topic::absolute(letters.topic.clone()),
        }
    }

    /// The topic and its subscription, as they are called.
    pub(crate) fn letters(&self) -> DeadLetters {
        DeadLetters::of(self.topic.name(self.runtime.config()))
    }

    pub(crate) async fn open(&self, choice: &Choice) -> Result<Box<dyn DeadLetterReader>, Error> {
        let keeper = self.runtime.services().dead_letters().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "this runtime reaches no dead tasks, and none was read: they are in Pub/Sub, or in the local engine",
            )
        })?;
        keeper.open(&self.letters(), choice.reading()).await
    }
}

/// Which of them are meant.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) task: Option<String>,
    pub(crate) limit: usize,
    pub(crate) idle_timeout: Duration,
}

impl Choice {
    pub(crate) fn all() -> Self {
        Self {
            task: None,
            limit: usize::MAX,
            idle_timeout: IDLE_TIMEOUT,
        }
    }

    fn reading(&self) -> Reading {
        // Those of another name stand between those that are meant.
        let most = if self.task.is_some() {
            usize::MAX
        } else {
            self.limit
        };
        Reading {
            at_once: u32::try_from(most).unwrap_or(AT_ONCE).clamp(1, AT_ONCE),
            idle_timeout: self.idle_timeout,
        }
    }

    pub(crate) fn takes(&self, task: &DeadTask) -> bool {
        self.task.as_ref().is_none_or(|name| name == task.task())
    }
}

/// A dead task that stays where it was, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UnreplayedTask {
    /// The id of its message.
    pub message_id: String,
    /// The task's name, where the record could be read.
    pub task: Option<String>,
    /// The id that the task had in its queue.
    pub id: Option<String>,
    /// Why it stays.
    pub why: String,
}

impl UnreplayedTask {
    pub(crate) fn unread(letter: &DeadLetter, mistake: &str) -> Self {
        Self {
            message_id: letter.id.clone(),
            task: None,
            id: None,
            why: format!("it is no record of a dead task: {mistake}"),
        }
    }

    pub(crate) fn new(letter: &DeadLetter, task: &DeadTask, why: String) -> Self {
        Self {
            message_id: letter.id.clone(),
            task: Some(task.task.clone()),
            id: task.id.clone(),
            why,
        }
    }
}
