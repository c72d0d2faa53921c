//! Why a task is dead.

use serde::{Deserialize, Serialize};

use crate::base::metadata::TaskMetadata;
use crate::base::text::brief;

/// How the last attempt of a task ended.
///
/// ```
/// use cloud_tasks::dead_letters::DeadCause;
///
/// assert_eq!(serde_json::to_string(&DeadCause::TimedOut)?, r#""timed-out""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DeadCause {
    /// The task returned an error or `RetryAfter`, or its output does not serialize.
    Failed,
    /// The task panicked.
    Panicked,
    /// The task was cancelled at its deadline.
    TimedOut,
    /// The body does not decode to the task's arguments. Neither the task nor its hook runs.
    Undecodable,
    /// Another delivery was still running the task when the queue made its last one. That run may yet have succeeded.
    InProgress,
    /// The service turned the last delivery away, and the task did not run in it.
    TurnedAway,
    /// The last attempt was cancelled, because its caller hung up or the service stopped.
    Interrupted,
}

impl DeadCause {
    /// The cause in a record.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed-out",
            Self::Undecodable => "undecodable",
            Self::InProgress => "in-progress",
            Self::TurnedAway => "turned-away",
            Self::Interrupted => "interrupted",
        }
    }

    /// The cause that a record names, unless another version wrote it.
    #[cfg(feature = "google")]
    pub(crate) fn read(text: &str) -> Option<Self> {
        use serde::de::IntoDeserializer;
        use serde::de::value::{Error, StrDeserializer};

        let text: StrDeserializer<'_, Error> = text.into_deserializer();
        Self::deserialize(text).ok()
    }
}

/// Why a task is dead: the argument of [`Task::on_dead`](crate::Task::on_dead).
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use cloud_tasks::dead_letters::{Dead, DeadCause};
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// static REFUNDED: AtomicBool = AtomicBool::new(false);
///
/// #[derive(Serialize, Deserialize)]
/// struct ChargeMembership { invoice: u64 }
///
/// #[task(max_attempts = 1)]
/// impl Task for ChargeMembership {
///     async fn run(self, cx: Context) -> TaskResult {
///         assert!(cx.metadata().is_last_attempt());
///         Err("the card was declined")?
///     }
///
///     async fn on_dead(self, dead: Dead, _cx: Context) -> TaskResult {
///         assert_eq!((dead.cause(), dead.error()), (DeadCause::Failed, "the card was declined"));
///         assert_eq!((dead.attempts(), dead.queue()), (1, Some("tasks")));
///         REFUNDED.store(true, Ordering::SeqCst);
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let runtime = Runtime::eager().build().await?;
/// assert!(ChargeMembership { invoice: 7 }.asap().on(&runtime).await.is_err());
/// assert!(REFUNDED.load(Ordering::SeqCst));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    cause: DeadCause,
    error: String,
    attempts: u32,
    runs: Option<u32>,
    id: Option<String>,
    queue: Option<String>,
}

impl Dead {
    pub(crate) fn new(cause: DeadCause, error: &str, metadata: &TaskMetadata) -> Self {
        Self {
            cause,
            error: brief(error).into_owned(),
            attempts: metadata.attempt(),
            runs: metadata.runs(),
            id: metadata.id().map(str::to_owned),
            queue: metadata.queue().map(str::to_owned),
        }
    }

    /// How the last attempt ended.
    pub fn cause(&self) -> DeadCause {
        self.cause
    }

    /// The error of the last attempt, with its causes, on one line. Of a longer text the first 16 KiB.
    pub fn error(&self) -> &str {
        &self.error
    }

    /// The number of deliveries, as the queue counts them: deliveries that did not reach the task count as well, because the
    /// service was down or turned them away.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The number of times that the task ran, if it is idempotent and its store counts them.
    pub fn runs(&self) -> Option<u32> {
        self.runs
    }

    /// The task's id in its queue.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The short name of its queue.
    pub fn queue(&self) -> Option<&str> {
        self.queue.as_deref()
    }
}
