//! Tasks on their way to a queue, and receipts.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderMap;

use crate::base::config::ServiceEndpoint;
use crate::base::metadata::TaskMetadata;

/// A task on its way to a queue, as a [`Backend`](crate::backend::Backend) sees it.
///
/// It was checked against the service's limits. The `Debug` output omits the arguments and the values of the headers.
///
/// ```
/// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # struct ChargeFee { invoice: u64 }
/// # #[task(queue = "billing")]
/// # impl Task for ChargeFee {
/// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// ChargeFee { invoice: 7 }.asap().on(&runtime).await?;
/// let envelopes = recorder.envelopes();
/// assert_eq!(envelopes[0].queue(), "billing");
/// assert_eq!(envelopes[0].url(), "http://localhost:8080/tasks/ChargeFee");
/// assert_eq!(envelopes[0].body(), br#"{"invoice":7}"#);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Envelope {
    pub(crate) task: Cow<'static, str>,
    pub(crate) queue: String,
    pub(crate) id: Option<String>,
    pub(crate) url: String,
    pub(crate) body: Bytes,
    pub(crate) headers: HeaderMap,
    pub(crate) schedule_time: Option<SystemTime>,
    pub(crate) timeout: Option<Duration>,
    /// The service that runs it, if it is another one.
    pub(crate) service: Option<Arc<ServiceEndpoint>>,
}

impl Envelope {
    /// The metadata of the first attempt of this task.
    pub(crate) fn first_attempt(&self, id: &str) -> TaskMetadata {
        let metadata = TaskMetadata::new()
            .with_queue(&self.queue)
            .with_id(id)
            .with_retry_count(0)
            .with_execution_count(0)
            .with_headers(self.headers.clone());
        match self.schedule_time {
            Some(eta) => metadata.with_eta(eta),
            None => metadata,
        }
    }

    /// The task's name.
    pub fn task(&self) -> &str {
        &self.task
    }

    /// The short name of the queue.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The id in the queue, if the caller chose one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The URL that Cloud Tasks calls.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The JSON of the task's arguments.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The headers of the request, including propagated ones.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// When the task is due; `None` means now.
    pub fn schedule_time(&self) -> Option<SystemTime> {
        self.schedule_time
    }

    /// The timeout of one attempt; `None` means the service's default of 10 minutes.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The service that runs the task, if it is another one: its token has this service's audience and account.
    pub fn service(&self) -> Option<&ServiceEndpoint> {
        self.service.as_deref()
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("task", &self.task)
            .field("queue", &self.queue)
            .field("id", &self.id)
            .field("url", &self.url)
            .field("body_bytes", &self.body.len())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("schedule_time", &self.schedule_time)
            .field("timeout", &self.timeout)
            .field("service", &self.service)
            .finish()
    }
}

/// The receipt for an enqueued task.
///
/// ```
/// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # struct ChargeFine { invoice: u64 }
/// # #[task]
/// # impl Task for ChargeFine {
/// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, _recorder) = Runtime::recorded().build().await?;
/// let first = ChargeFine { invoice: 7 }.asap().task_id("invoice-7").on(&runtime).await?;
/// let second = ChargeFine { invoice: 7 }.asap().task_id("invoice-7").on(&runtime).await?;
/// assert_eq!((first.queue(), first.id()), ("tasks", "invoice-7"));
/// assert!(!first.duplicate() && second.duplicate());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enqueued {
    queue: String,
    id: String,
    pub(crate) schedule_time: Option<SystemTime>,
    duplicate: bool,
}

impl Enqueued {
    /// Creates a receipt, for a [`Backend`](crate::backend::Backend) of your own.
    pub fn new(queue: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            queue: queue.into(),
            id: id.into(),
            schedule_time: None,
            duplicate: false,
        }
    }

    /// Sets when the task is due.
    pub fn with_schedule_time(mut self, time: SystemTime) -> Self {
        self.schedule_time = Some(time);
        self
    }

    /// Turns it into the receipt for a task that existed already, so that nothing was created.
    pub fn into_duplicate(mut self) -> Self {
        self.duplicate = true;
        self
    }

    /// The short name of the queue that accepted the task.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The task's id in its queue, chosen by the caller or generated.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When the task is due, as the backend reports it.
    pub fn schedule_time(&self) -> Option<SystemTime> {
        self.schedule_time
    }

    /// Whether a task with the caller's id existed already, so that nothing was created.
    ///
    /// Cloud Tasks blocks an id for up to 24 hours after its task has ended or was deleted. If an earlier attempt of
    /// the same call got no response, the existing task counts as created by this call.
    pub fn duplicate(&self) -> bool {
        self.duplicate
    }
}
