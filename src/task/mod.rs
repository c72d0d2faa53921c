//! Tasks, and how they are enqueued.

mod bulk;
pub mod commit;
pub(crate) mod enqueue;
mod handler;
mod name;
mod named;
pub(crate) mod periodic;
mod shared;
mod sync;

pub use crate::base::Enqueued;
pub use crate::base::TaskMetadata;
pub use crate::registry::Registered;
pub use crate::runtime::RunAt;
pub use bulk::{BulkProgress, EnqueueAll};
pub use enqueue::Enqueue;
pub use handler::{Handled, TaskHandler};
pub use name::TaskName;
pub use periodic::PeriodicTask;
pub use shared::SharedTask;
pub use sync::RunNow;

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{BoxFuture, Context, Dead, States, TaskError, TaskResult, json};
use crate::registry::{AttemptError, BoundTask, Handler, Kind, Registration, TaskInput, resolve};
use crate::task::enqueue::read_arguments;

/// A background job: the fields are its arguments, and `run` does the work.
///
/// Write `#[task]` above the `impl` block: it registers the task and infers `State` and `Output` from `run`. The task
/// travels as JSON. Any instance of the service may run it, and more than once: make it idempotent.
///
/// ```
/// use std::time::Duration;
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct SendGreeting { user_id: u64 }
///
/// #[task(queue = "emails", timeout = "2m")]
/// impl Task for SendGreeting {
///     async fn run(self, cx: Context) -> TaskResult<String> {
///         Ok(format!("sent to {} in attempt {}", self.user_id, cx.metadata().attempt()))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// runtime.scope(async {
///     let enqueued = SendGreeting { user_id: 7 }.asap().await?;
///     assert_eq!(enqueued.queue(), "emails");
///     SendGreeting { user_id: 8 }.later(Duration::from_secs(60)).queue("slow").await?;
///     assert_eq!(SendGreeting { user_id: 9 }.sync().await?, "sent to 9 in attempt 1");
///     Ok::<_, cloud_tasks::Error>(())
/// }).await?;
/// recorder.assert_enqueued::<SendGreeting>(|email| email.user_id == 8);
/// # Ok(())
/// # }
/// ```
#[doc(alias("job", "worker", "background"))]
pub trait Task: Registered + Serialize + DeserializeOwned + Send + 'static {
    /// The state that the task needs: `S` of its [`Context<S>`], filled in by `#[task]`.
    type State: Send + Sync + 'static;

    /// The task's output: `T` of its [`TaskResult<T>`], filled in by `#[task]`.
    type Output: Serialize + Send + 'static;

    /// Runs the task.
    ///
    /// # Errors
    ///
    /// After any error the task is retried as its queue is configured, except after a [`Discard`](crate::Discard).
    fn run(self, cx: Context<Self::State>) -> impl Future<Output = TaskResult<Self::Output>> + Send;

    /// Called after the last attempt has failed. The default does nothing.
    ///
    /// It is called only if the maximum number of attempts is known: from the option `max_attempts`, or from the
    /// [settings](crate::queue::QueueSettings::max_attempts) of the queue. It may take as long as an attempt. The
    /// [retries guide](crate::guide::retries) says what is guaranteed, and [`Dead`] has an example.
    ///
    /// # Errors
    ///
    /// Any error except a [`Discard`](crate::Discard) makes the attempt an ordinary failure: a task that is dead by its
    /// own `max_attempts` is then attempted once more, and so is its hook.
    fn on_dead(self, dead: Dead, cx: Context<Self::State>) -> impl Future<Output = TaskResult> + Send {
        drop((self, dead, cx));
        async { Ok(()) }
    }

    /// Enqueues the task to run as soon as possible.
    ///
    /// In the condition of an `if let` or a `match` Rust wants parentheses around the task, as around every struct literal:
    /// `if let Err(error) = (Charge { invoice: 7 }).asap().await { .. }`.
    #[doc(alias("enqueue", "spawn", "perform_async", "dispatch"))]
    fn asap(self) -> Enqueue {
        Enqueue::of(&self)
    }

    /// Enqueues the task to run after a delay or at a given time.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # use std::time::{Duration, SystemTime};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct RemindTenant { user_id: u64 }
    /// # #[task]
    /// # impl Task for RemindTenant {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// # let (runtime, _recorder) = Runtime::recorded().build().await?;
    /// RemindTenant { user_id: 7 }.later(Duration::from_secs(3600)).on(&runtime).await?;
    /// let noon = SystemTime::now() + Duration::from_secs(60);
    /// let enqueued = RemindTenant { user_id: 7 }.later(noon).on(&runtime).await?;
    /// assert_eq!(enqueued.schedule_time(), Some(noon));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("delay", "schedule", "countdown", "eta", "run_at"))]
    fn later(self, when: impl Into<RunAt>) -> Enqueue {
        Enqueue::of(&self).at(when.into())
    }

    /// Enqueues the task to run at a random time between now and a deadline, to spread the load of many tasks.
    ///
    /// A deadline in the past means now. A deadline beyond the farthest allowed time is moved to that time.
    fn spread_until(self, deadline: impl Into<RunAt>) -> Enqueue {
        Enqueue::of(&self).before(deadline.into())
    }

    /// Enqueues many tasks with bounded concurrency. Returns one result per task, in input order; a failure does not
    /// stop the rest.
    ///
    /// The iterator is advanced only when there is room for another task, so it may be long or endless.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct RemindDriver { user_id: u64 }
    /// # #[task]
    /// # impl Task for RemindDriver {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// # let (runtime, recorder) = Runtime::recorded().build().await?;
    /// let users = [7, 8, 9];
    /// let results = RemindDriver::asap_all(users.iter().map(|user| RemindDriver { user_id: *user })).on(&runtime).await;
    /// assert!(results.iter().all(Result::is_ok));
    /// # assert_eq!(recorder.envelopes().len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    fn asap_all<'a, I>(tasks: I) -> EnqueueAll<'a, Self>
    where
        I: IntoIterator<Item = Self>,
        I::IntoIter: Send + 'a,
    {
        EnqueueAll::new(stream::iter(tasks))
    }

    /// Enqueues many tasks from a stream, such as the rows of a database query.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct RemindPatient { user_id: i64 }
    /// # #[task]
    /// # impl Task for RemindPatient {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::BoxError> {
    /// # let (runtime, recorder) = Runtime::recorded().build().await?;
    /// # let users = futures_util::stream::iter([Ok(7), Ok(8)]);
    /// use futures_util::StreamExt;
    ///
    /// // `users` is a stream of ids, such as `sqlx::query_scalar("SELECT id FROM users").fetch(&pool)`.
    /// let tasks = users.filter_map(async |id: std::io::Result<i64>| Some(RemindPatient { user_id: id.ok()? }));
    /// assert_eq!(RemindPatient::asap_all_from(tasks).on(&runtime).await.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    fn asap_all_from<'a>(tasks: impl Stream<Item = Self> + Send + 'a) -> EnqueueAll<'a, Self> {
        EnqueueAll::new(tasks)
    }

    /// Runs the task now, in this process, and returns its output.
    ///
    /// No queue is involved: the task is not retried, and its timeout does not apply.
    fn sync(self) -> RunNow<Self> {
        RunNow::new(self)
    }
}

impl Registration {
    /// The registration of a task with this name, defined at `location` (`file:line`).
    pub const fn task<T: Task>(name: &'static str, location: &'static str) -> Self {
        Self::new::<T>(name, location, Kind::Task, bind::<T>).arguments(read_arguments::<T>)
    }
}

fn bind<T: Task>(states: &States) -> Result<BoundTask, Vec<&'static str>> {
    let state = resolve::<T, T::State>(states)?;
    let handler = BoundHandler::<T> {
        state: Arc::clone(&state),
        task: PhantomData,
    };
    Ok(BoundTask {
        handler: Arc::new(handler),
        state,
    })
}

struct BoundHandler<T: Task> {
    state: Arc<T::State>,
    task: PhantomData<fn() -> T>,
}

impl<T: Task> Handler for BoundHandler<T> {
    fn call(
        self: Arc<Self>,
        input: TaskInput,
        metadata: TaskMetadata,
    ) -> BoxFuture<'static, Result<Vec<u8>, AttemptError>> {
        let state = Arc::clone(&self.state);
        // One block: an `async fn` inside would keep its arguments once more.
        Box::pin(async move {
            let task = decode_input::<T>(input)?;
            let ran = task.run(Context::new(state, metadata)).await;
            serde_json::to_vec(&ran.map_err(AttemptError::Task)?).map_err(AttemptError::Output)
        })
    }

    fn on_dead(
        &self,
        body: Bytes,
        dead: Dead,
        metadata: TaskMetadata,
    ) -> BoxFuture<'_, Result<(), TaskError>> {
        Box::pin(async move {
            let task: T = json::decode(&body)?;
            task.on_dead(dead, Context::new(Arc::clone(&self.state), metadata))
                .await
        })
    }
}

/// Runs a task on its input.
pub(crate) async fn run_input<T: Task>(
    state: Arc<T::State>,
    input: TaskInput,
    metadata: TaskMetadata,
) -> Result<T::Output, AttemptError> {
    let task = decode_input::<T>(input)?;
    let cx = Context::new(state, metadata);
    task.run(cx).await.map_err(AttemptError::Task)
}

fn decode_input<T: Task>(input: TaskInput) -> Result<T, AttemptError> {
    match input {
        TaskInput::Body(body) => json::decode(&body).map_err(AttemptError::Decode),
        TaskInput::Push(_) => Err(AttemptError::Decode("a task does not accept messages".into())),
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::base::{Resolved, Resolver};
    use crate::registry::Registered;

    /// Arguments of the size of two strings.
    #[derive(Deserialize, Serialize)]
    struct Greet {
        name: String,
        text: String,
    }

    impl Registered for Greet {
        const __REGISTRATION: Registration = Registration::task::<Self>("Greet", "here:1");

        fn __state(states: &mut Resolver<'_>) -> Resolved {
            states.each::<()>()
        }
    }

    impl Task for Greet {
        type State = ();
        type Output = String;

        async fn run(self, cx: Context) -> TaskResult<String> {
            tokio::task::yield_now().await;
            Ok(format!("{} {} {}", self.name, self.text, cx.metadata().attempt()))
        }
    }

    #[test]
    fn the_box_of_a_running_task_is_small() {
        let bound = bind::<Greet>(&States::default()).unwrap();

        let run = bound
            .handler
            .call(TaskInput::Body(Bytes::new()), TaskMetadata::new());

        // The task is in it three times: decoded, as the argument of its `run`, and as a variable of it.
        assert!(size_of_val(&*run) <= 624, "{} bytes", size_of_val(&*run));
    }
}
