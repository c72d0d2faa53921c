//! Periodic tasks: tasks that also have a schedule.

use bytes::Bytes;

use crate::base::json;
use crate::registry::Registration;
use crate::registry::schedule::{self, Periodic, ScheduleOptions};
use crate::task::Task;
use crate::task::enqueue::Enqueue;

/// A task that also has a schedule. Written by `#[task(every = "..")]` alone.
///
/// It is a [`Task`] like any other, and can be enqueued at any time; Cloud Scheduler runs it besides, with the arguments
/// that [`payload`](Self::payload) gives. The [guide](crate::guide::periodic) has all of it.
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
pub trait PeriodicTask: Task {
    #[doc(hidden)]
    const __SCHEDULE: ScheduleOptions;

    /// The arguments that the schedule runs the task with: the option `payload`, else the type's default.
    fn payload() -> Self;

    /// Enqueues the task as its schedule runs it: with its payload and its headers, and metadata that name the job and now.
    ///
    /// The task goes to its own queue, not through Cloud Scheduler, so the retries are the queue's. In eager mode it runs at
    /// once, which is how a test runs a periodic task; nothing in that mode runs it at its times.
    fn run_scheduled() -> Enqueue {
        let options = const { &Self::__SCHEDULE };
        Enqueue::of(&Self::payload()).of_job(options, schedule::headers(options))
    }
}

impl Registration {
    /// Adds the schedule of a task.
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

/// What the attribute writes for a task without the option `payload`.
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

/// What the option `payload` takes.
#[diagnostic::on_unimplemented(
    message = "this is no payload of `{T}`",
    label = "`payload` takes a `{T}`, or a function that gives one"
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
