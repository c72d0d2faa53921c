//! The state and the settings of a queue.

use std::fmt;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use crate::base::wire::queued_json::rfc3339;

/// Whether a queue dispatches its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum QueueState {
    /// Tasks are dispatched.
    Running,
    /// Tasks are accepted and kept until the queue is resumed.
    Paused,
    /// Disabled by the service or by a `queue.yaml`.
    Disabled,
    /// A state that this library does not know.
    Unknown,
}

impl fmt::Display for QueueState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
            Self::Unknown => "unknown",
        })
    }
}

/// The state and the settings of a queue; returned by [`Queue::info`](crate::queue::Queue::info).
///
/// ```standalone_crate
/// use cloud_tasks::queue::QueueState;
/// use cloud_tasks::Runtime;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, engine) = Runtime::local().build().await?;
/// let info = runtime.queue("emails").info().await?;
/// assert_eq!((info.name.as_str(), info.state), ("emails", QueueState::Running));
/// # engine.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct QueueInfo {
    /// Its short name.
    pub name: String,
    /// Whether it dispatches its tasks.
    pub state: QueueState,
    /// The maximum number of dispatches per second.
    pub max_dispatches_per_second: Option<f64>,
    /// The maximum number of concurrent dispatches.
    pub max_concurrent_dispatches: Option<u32>,
    /// The maximum number of attempts of a task; `None` if unlimited or unknown.
    pub max_attempts: Option<u32>,
    /// When it was last purged.
    #[serde(serialize_with = "time")]
    pub purge_time: Option<SystemTime>,
}

impl QueueInfo {
    /// A queue of which only the name and the state are known.
    pub(crate) fn new(name: &str, state: QueueState) -> Self {
        Self {
            name: name.to_owned(),
            state,
            max_dispatches_per_second: None,
            max_concurrent_dispatches: None,
            max_attempts: None,
            purge_time: None,
        }
    }
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn time<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.and_then(rfc3339).serialize(serializer)
}
