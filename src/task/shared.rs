//! Tasks that one service runs and others enqueue.

use futures_util::{Stream, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::States;
use crate::registry::{BoundTask, Kind, Registered, Registration};
use crate::runtime::RunAt;
use crate::task::bulk::EnqueueAll;
use crate::task::enqueue::{Enqueue, read_arguments};

/// A task that one service runs and others enqueue: the declaration, which stands in a crate that they share.
///
/// Write `#[task(service = "..")]` above the `impl` block. The name, the queue and all other options stand here, so that
/// both sides agree on them. The service that runs the task has a [`TaskHandler`](crate::task::TaskHandler) for it.
/// Every other service only enqueues it: there, `build()` requires the endpoint of the service and its account, from
/// `CLOUD_TASKS_SERVICE_BILLING` and `CLOUD_TASKS_SERVICE_BILLING_ACCOUNT` or from
/// [`Config::with_service`](crate::Config::with_service). Tokens have this endpoint as audience.
///
/// ```standalone_crate
/// use cloud_tasks::backend::ServiceEndpoint;
/// use cloud_tasks::task::SharedTask;
/// use cloud_tasks::{Config, Runtime, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct RefundOrder { order: u64 }
///
/// #[task(service = "billing", queue = "refunds", unique)]
/// impl SharedTask for RefundOrder {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let config = Config::default().with_service("billing", ServiceEndpoint::new("https://billing.example"));
/// let (runtime, recorder) = Runtime::recorded().config(config).build().await?;
/// RefundOrder { order: 7 }.asap().on(&runtime).await?;
/// assert_eq!(recorder.envelopes()[0].url(), "https://billing.example/tasks/RefundOrder");
/// # Ok(())
/// # }
/// ```
///
/// The queue is one of the service that enqueues, in its project and region. In eager mode, and when a recorder is
/// drained, tasks of other services are not run. It has no `sync()`, since its code is elsewhere:
///
/// ```compile_fail
/// # use cloud_tasks::task::SharedTask;
/// # use cloud_tasks::{Runtime, task};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # struct RefundTrip { order: u64 }
/// # #[task(service = "billing")]
/// # impl SharedTask for RefundTrip {}
/// # async fn run(runtime: Runtime) -> Result<(), cloud_tasks::Error> {
/// RefundTrip { order: 7 }.sync().on(&runtime).await?;     // no method named `sync`
/// # Ok(())
/// # }
/// ```
pub trait SharedTask: Registered + Serialize + DeserializeOwned + Send + 'static {
    /// Enqueues the task to run as soon as possible.
    fn asap(self) -> Enqueue {
        Enqueue::of(&self)
    }

    /// Enqueues the task to run after a delay or at a given time.
    fn later(self, when: impl Into<RunAt>) -> Enqueue {
        Enqueue::of(&self).at(when.into())
    }

    /// Enqueues the task to run at a random time between now and a deadline.
    fn spread_until(self, deadline: impl Into<RunAt>) -> Enqueue {
        Enqueue::of(&self).before(deadline.into())
    }

    /// Enqueues many tasks with bounded concurrency; see [`Task::asap_all`](crate::Task::asap_all).
    fn asap_all<'a, I>(tasks: I) -> EnqueueAll<'a, Self>
    where
        I: IntoIterator<Item = Self>,
        I::IntoIter: Send + 'a,
    {
        EnqueueAll::new(stream::iter(tasks))
    }

    /// Enqueues many tasks from a stream; see [`Task::asap_all_from`](crate::Task::asap_all_from).
    fn asap_all_from<'a>(tasks: impl Stream<Item = Self> + Send + 'a) -> EnqueueAll<'a, Self> {
        EnqueueAll::new(tasks)
    }
}

impl Registration {
    /// The registration of a task that another service runs, declared at `location` (`file:line`).
    pub const fn shared_task<T: SharedTask>(name: &'static str, location: &'static str) -> Self {
        Self::new::<T>(name, location, Kind::Task, bind_nothing).arguments(read_arguments::<T>)
    }
}

/// Without a handler there is nothing to run, and nothing is missing.
fn bind_nothing(_: &States) -> Result<BoundTask, Vec<&'static str>> {
    Err(Vec::new())
}
