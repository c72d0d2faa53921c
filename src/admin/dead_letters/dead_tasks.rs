//! Listing and replaying the dead tasks of a topic.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;

use crate::admin::dead_letters::list::ListDead;
use crate::admin::dead_letters::reading::Reading;
use crate::admin::dead_letters::replay::Replay;
use crate::backend::DeadLetter;
use crate::base::{DeadTask, Error, ErrorKind};
use crate::registry::dead_letter::DeadLetters;
use crate::registry::topic::Topic;
use crate::runtime::Runtime;

/// Pub/Sub does not say that it has no more messages, so reading ends after this long without one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// The dead tasks of a topic, to list and to replay; returned by [`Runtime::dead_tasks`].
///
/// ```no_run
/// use cloud_tasks::{Config, Runtime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = Runtime::builder().config(Config::from_env()?).dead_letter_topic("dead-tasks").build().await?;
/// let dead = runtime.dead_tasks("dead-tasks");
/// for task in dead.list().limit(20).await?.tasks {
///     println!("{} died after {} attempts: {}", task.task(), task.attempts(), task.error());
/// }
/// let report = dead.replay().task("Charge").limit(100).await?;
/// println!("{report}");                // 100 enqueued, 0 duplicates, 3 skipped, 0 failed, 0 left, 0 returned
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DeadTasks {
    runtime: Runtime,
    topic: Topic,
}

impl Runtime {
    /// Returns the dead tasks that were recorded to a topic, given its base name or its full path.
    ///
    /// They are read from the subscription with the topic's name, which [`setup`](Self::setup) creates, or from the
    /// local engine, which keeps those of the topics that the runtime knows.
    #[doc(alias("DLQ", "dead letter queue"))]
    pub fn dead_tasks(&self, topic: impl Into<Cow<'static, str>>) -> DeadTasks {
        DeadTasks {
            runtime: self.clone(),
            topic: Topic::new(topic),
        }
    }
}

impl DeadTasks {
    /// Lists them and leaves them in place.
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

    /// The dead tasks of a topic that the runtime knows.
    #[cfg(feature = "cli")]
    pub(crate) fn of(runtime: &Runtime, letters: &DeadLetters) -> Self {
        Self {
            runtime: runtime.clone(),
            topic: Topic::absolute(letters.topic.clone()),
        }
    }

    /// The names of the topic and of its subscription.
    pub(crate) fn letters(&self) -> DeadLetters {
        DeadLetters::of(self.topic.name(self.runtime.config()))
    }

    pub(crate) async fn open(&self, choice: &Choice) -> Result<Reading, Error> {
        let store = self.runtime.services().dead_letters().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "dead tasks cannot be read: this runtime has neither Pub/Sub nor a local engine",
            )
        })?;
        let reader = store.open(&self.letters()).await?;
        Ok(Reading::new(reader, choice.idle_timeout))
    }
}

/// A selection of dead tasks.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub task: Option<String>,
    pub limit: usize,
    pub idle_timeout: Duration,
}

impl Choice {
    pub fn all() -> Self {
        Self {
            task: None,
            limit: usize::MAX,
            idle_timeout: IDLE_TIMEOUT,
        }
    }

    /// How many messages to lease ahead, to get this many tasks.
    pub fn ahead(&self, tasks: usize) -> usize {
        // Tasks with other names are between the selected ones.
        if self.task.is_some() { usize::MAX } else { tasks }
    }

    pub fn takes(&self, task: &DeadTask) -> bool {
        self.task.as_ref().is_none_or(|name| name == task.task())
    }
}

/// A record that was not replayed, and why. It stays in the subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UnreplayedTask {
    /// The id of its message.
    pub message_id: String,
    /// The task's name, if the record could be read.
    pub task: Option<String>,
    /// The task's id in its queue.
    pub id: Option<String>,
    /// Why it was not replayed.
    pub reason: String,
}

impl UnreplayedTask {
    pub(crate) fn unread(letter: &DeadLetter, reason: &str) -> Self {
        Self {
            message_id: letter.id.clone(),
            task: None,
            id: None,
            reason: format!("not a record of a dead task: {reason}"),
        }
    }

    pub(crate) fn new(letter: &DeadLetter, task: &DeadTask, reason: String) -> Self {
        Self {
            message_id: letter.id.clone(),
            task: Some(task.task().to_owned()),
            id: task.id().map(str::to_owned),
            reason,
        }
    }
}
