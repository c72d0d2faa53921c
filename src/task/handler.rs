//! Handlers of shared tasks, in the service that runs them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::{Context, Dead, Resolved, Resolver, TaskResult};
use crate::registry::unique::UniqueFields;
use crate::registry::{Registered, Registration};
use crate::task::{RunNow, SharedTask, Task, bind};

/// The code of a [`SharedTask`], in the service that runs it.
///
/// Write `#[task]` above the `impl` block. The task is a type of another crate, so the handler is a type of its own; the
/// task, the state and the output are read off `run`. Name, queue and all other options are those of the task.
///
/// ```standalone_crate
/// use cloud_tasks::task::{SharedTask, TaskHandler};
/// use cloud_tasks::{Context, Runtime, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// // In the shared crate.
/// #[derive(Serialize, Deserialize)]
/// struct ShipParcel { parcel: u64 }
///
/// #[task(service = "shipping")]
/// impl SharedTask for ShipParcel {}
///
/// // In the service `shipping`.
/// struct Carrier;
///
/// struct ShipParcels;
///
/// #[task]
/// impl TaskHandler for ShipParcels {
///     async fn run(task: ShipParcel, cx: Context<Carrier>) -> TaskResult<String> {
///         let Carrier = cx.state();
///         Ok(format!("shipped {}", task.parcel))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, recorder) = Runtime::recorded().state(Carrier).build().await?;
/// ShipParcel { parcel: 7 }.asap().on(&runtime).await?;       // this service runs it
/// assert_eq!(recorder.drain().await?, 1);
/// assert_eq!(ShipParcels::of(ShipParcel { parcel: 8 }).sync().on(&runtime).await?, "shipped 8");
/// # Ok(())
/// # }
/// ```
pub trait TaskHandler: Registered + Send + 'static {
    /// The task, filled in by `#[task]`.
    type Task: SharedTask;

    /// The state that the task needs: `S` of its [`Context<S>`], filled in by `#[task]`.
    type State: Send + Sync + 'static;

    /// The task's output: `T` of its [`TaskResult<T>`], filled in by `#[task]`.
    type Output: Serialize + Send + 'static;

    /// Runs the task.
    ///
    /// # Errors
    ///
    /// After any error the task is retried as its queue is configured, except after a [`Discard`](crate::Discard).
    fn run(
        task: Self::Task,
        cx: Context<Self::State>,
    ) -> impl Future<Output = TaskResult<Self::Output>> + Send;

    /// Called after the last attempt has failed; see [`Task::on_dead`]. The default does nothing.
    ///
    /// # Errors
    ///
    /// Any error except a [`Discard`](crate::Discard) makes the attempt an ordinary failure.
    fn on_dead(
        task: Self::Task,
        dead: Dead,
        cx: Context<Self::State>,
    ) -> impl Future<Output = TaskResult> + Send {
        drop((task, dead, cx));
        async { Ok(()) }
    }

    /// The task with its code: a [`Task`], for `sync()` and for tests.
    fn of(task: Self::Task) -> Handled<Self>
    where
        Self: Sized,
    {
        Handled(task)
    }
}

/// A shared task with its handler, returned by [`TaskHandler::of`].
pub struct Handled<H: TaskHandler>(H::Task);

impl<H: TaskHandler> Handled<H> {
    /// Runs the task now, in this process, and returns its output; see [`Task::sync`].
    pub fn sync(self) -> RunNow<Self> {
        RunNow::new(self)
    }
}

impl<H: TaskHandler> Serialize for Handled<H> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, H: TaskHandler> Deserialize<'de> for Handled<H> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(deserializer).map(Self)
    }
}

impl<H: TaskHandler> Registered for Handled<H> {
    const __REGISTRATION: Registration = H::__REGISTRATION;

    fn __state(states: &mut Resolver<'_>) -> Resolved {
        H::__state(states)
    }

    fn __unique_fields(&self, fields: &mut UniqueFields) {
        self.0.__unique_fields(fields);
    }
}

impl<H: TaskHandler> Task for Handled<H> {
    type State = H::State;
    type Output = H::Output;

    fn run(self, cx: Context<H::State>) -> impl Future<Output = TaskResult<H::Output>> + Send {
        H::run(self.0, cx)
    }

    fn on_dead(self, dead: Dead, cx: Context<H::State>) -> impl Future<Output = TaskResult> + Send {
        H::on_dead(self.0, dead, cx)
    }
}

impl Registration {
    /// The registration of the task that `H` runs, defined at `location` (`file:line`).
    pub const fn handler<H: TaskHandler>(location: &'static str) -> Self {
        H::Task::__REGISTRATION.handled(location, bind::<Handled<H>>)
    }
}

impl<H: TaskHandler> fmt::Debug for Handled<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handled").finish_non_exhaustive()
    }
}
