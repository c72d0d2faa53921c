//! A decoded recorded task.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::state::Record;
use crate::base::{Envelope, json};
use crate::task::Task;

/// A task in a [`Recorder`](crate::testing::Recorder): its arguments, and its queue, id, times and headers.
///
/// ```
/// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # struct ChargeCoach { invoice: u64 }
/// # #[task(queue = "billing")]
/// # impl Task for ChargeCoach {
/// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// ChargeCoach { invoice: 7 }.asap().task_id("invoice-7").header("x-request-id", "abc").on(&runtime).await?;
/// let charge = &recorder.find::<ChargeCoach>()[0];
/// assert_eq!((charge.task.invoice, charge.queue(), charge.id()), (7, "billing", "invoice-7"));
/// assert_eq!(charge.headers()["x-request-id"], "abc");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordedTask<T> {
    /// The arguments, decoded from their JSON.
    pub task: T,
    id: String,
    attempt: u32,
    envelope: Envelope,
}

impl<T> RecordedTask<T> {
    /// The id in the queue, chosen by the caller or generated.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The short name of the queue.
    pub fn queue(&self) -> &str {
        self.envelope.queue()
    }

    /// When the task is due; `None` means now.
    pub fn schedule_time(&self) -> Option<SystemTime> {
        self.envelope.schedule_time()
    }

    /// The timeout of one attempt, if the call or the task sets it.
    pub fn timeout(&self) -> Option<Duration> {
        self.envelope.timeout()
    }

    /// The headers of its request, including propagated ones.
    pub fn headers(&self) -> &HeaderMap {
        self.envelope.headers()
    }

    /// The number of the attempt that it ran in, or will run in next, starting at 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The task as a backend sees it.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

impl<T: Task> RecordedTask<T> {
    /// Decodes a record of this type; `None` for another type.
    #[track_caller]
    pub(super) fn read(record: &Record) -> Option<Self> {
        let envelope = record.envelope()?;
        if envelope.task() != T::__REGISTRATION.declared().name {
            return None;
        }
        match json::decode(envelope.body()) {
            Ok(task) => Some(Self {
                task,
                id: record.id.clone(),
                attempt: record.retries.saturating_add(1),
                envelope: envelope.clone(),
            }),
            Err(reason) => panic!("{} does not decode from its own JSON: {reason}", envelope.task()),
        }
    }
}
