//! Periodic tasks: tasks with a schedule.

use bytes::Bytes;

use crate::base::json;
use crate::registry::Registration;
use crate::registry::schedule::{self, Periodic, ScheduleOptions};
use crate::task::Task;
use crate::task::enqueue::Enqueue;

/// A task with a schedule. Implemented only by `#[task(every = "..")]`.
///
/// It is a [`Task`] like any other and can be enqueued at any time. Cloud Scheduler also runs it, with the arguments
/// that [`payload`](Self::payload) returns. See the [schedules guide](crate::guide::periodic).
///
/// ```standalone_crate
/// use cloud_tasks::{Context, PeriodicTask, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Digest { limit: u32 }
///
/// #[task(every = "0 9 * * 1-5", time_zone = "Europe/Paris", payload = Digest { limit: 10 })]
/// impl Task for Digest {
///     async fn run(self, cx: Context) -> TaskResult {
///         assert_eq!((self.limit, cx.metadata().job_name()), (10, Some("Digest")));
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let runtime = Runtime::eager().build().await?;
/// assert_eq!(runtime.schedules()[0].every, "0 9 * * 1-5");
/// Digest::run_scheduled().on(&runtime).await?;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no schedule",
    label = "write `#[task(every = \"..\")]` above the `impl Task` for this type"
)]
#[doc(alias("cron", "crontab", "scheduler"))]
pub trait PeriodicTask: Task {
    #[doc(hidden)]
    const __SCHEDULE: ScheduleOptions;

    /// The arguments of scheduled runs: the option `payload`, by default the type's `Default`.
    fn payload() -> Self;

    /// Enqueues one run of the schedule: with its payload and headers, and with metadata that names the job and the
    /// current time.
    ///
    /// The run goes to the task's own queue, not through Cloud Scheduler, so the queue's retries apply. In eager mode
    /// it runs at once; use this to test a periodic task, since eager mode does not run schedules.
    fn run_scheduled() -> Enqueue {
        let options = const { &Self::__SCHEDULE };
        Enqueue::of(&Self::payload()).of_job(options, schedule::headers(options))
    }
}

impl Registration {
    /// Sets the schedule of a task.
    pub const fn periodic<T: PeriodicTask>(self) -> Self {
        self.scheduled(Periodic {
            options: const { &T::__SCHEDULE },
            payload: encoded_payload::<T>,
        })
    }
}

fn encoded_payload<T: PeriodicTask>() -> Result<Bytes, serde_json::Error> {
    json::encode(&T::payload())
}

/// Implemented by the attribute for a task without the option `payload`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has a schedule, but no payload",
    label = "write `payload = ..` beside `every`, or `#[derive(Default)]` on `{Self}`"
)]
pub trait DefaultPayload {
    /// The arguments.
    fn default_payload() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> DefaultPayload for T {
    fn default_payload() -> Self {
        T::default()
    }
}

/// A payload that is written as a value.
#[derive(Debug)]
pub struct ByValue;

/// A payload that is written as a function.
#[derive(Debug)]
pub struct ByCall;

/// The types that the option `payload` accepts.
#[diagnostic::on_unimplemented(
    message = "this is not a payload of `{T}`",
    label = "`payload` must be a `{T}`, or a function that returns one"
)]
pub trait IntoPayload<T, How> {
    /// The arguments.
    fn into_payload(self) -> T;
}

#[diagnostic::do_not_recommend]
impl<T> IntoPayload<T, ByValue> for T {
    fn into_payload(self) -> T {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<T, F: FnOnce() -> T> IntoPayload<T, ByCall> for F {
    fn into_payload(self) -> T {
        self()
    }
}
