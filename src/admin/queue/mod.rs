//! Operations on a queue, by its name.

pub(crate) mod delete;
mod list;
mod of_type;
pub(crate) mod report;
mod run_here;
mod selection;

pub use crate::base::{LastAttempt, QueuedTask};
pub use crate::base::{QueueInfo, QueueState};
pub use crate::registry::queue_settings::QueueSettings;
pub use delete::DeleteTasks;
pub use list::QueuedTasks;
pub use of_type::{QueueExt, Tasks};
pub use report::{DeleteFailure, DeleteReport};

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::admin::queue::selection::Selection;
use crate::backend::{QueueOperations, View};
use crate::base::{Error, ErrorKind, Invalid, names};
use crate::runtime::Runtime;

/// A queue and its tasks: inspect, cancel, run and pause; returned by [`Runtime::queue`].
///
/// Creating it makes no call, and the queue need not be one that this service sends to. Calls are retried while the
/// service is unavailable or limits the rate, and share `Google::calls_in_flight` with those that enqueue.
///
/// ```standalone_crate
/// use std::time::Duration;
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct SendWelcomeEmail { user_id: u64 }
///
/// #[task(queue = "emails")]
/// impl Task for SendWelcomeEmail {
///     async fn run(self, cx: Context) -> TaskResult<u32> { Ok(cx.metadata().attempt()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, engine) = Runtime::local().build().await?;
/// let enqueued = SendWelcomeEmail { user_id: 7 }.later(Duration::from_secs(3600)).on(&runtime).await?;
///
/// let queue = runtime.queue("emails");
/// let mut tasks = queue.list();
/// while let Some(task) = tasks.try_next().await? {
///     println!("{} {:?} after {} attempts", task.id(), task.task(), task.attempts());
/// }
/// assert_eq!(queue.run_here(enqueued.id()).await?, 1);       // runs here; the task stays in the queue
/// assert!(queue.cancel(enqueued.id()).await?);
/// assert!(!queue.cancel(enqueued.id()).await?);           // it is gone
/// # engine.stop().await;
/// # Ok(())
/// # }
/// ```
///
/// # Supported backends
///
/// Google Cloud Tasks, an emulator of it, and the local engine, which creates a missing queue. The queues of a
/// [recorded](Runtime::recorded) runtime contain the tasks that wait to be drained: `run_now` makes a task due, and a
/// paused queue is not drained. The queues of an eager runtime are always empty. A [`Backend`](crate::backend::Backend)
/// of your own has no queue operations: each of them is an error.
///
/// # Missing queues
///
/// A missing queue is an error that names the command to create it. `get`, `cancel` and `run_here` are exceptions:
/// Cloud Tasks responds to them as if the task did not exist.
#[derive(Clone)]
pub struct Queue {
    runtime: Runtime,
    name: String,
}

impl Runtime {
    /// Returns a queue by its short name, to inspect and to change it.
    ///
    /// ```standalone_crate
    /// # use cloud_tasks::Runtime;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, engine) = Runtime::local().build().await?;
    /// runtime.queue("emails").pause().await?;
    /// # engine.stop().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn queue(&self, name: impl Into<String>) -> Queue {
        Queue {
            runtime: self.clone(),
            name: name.into(),
        }
    }

    /// Returns the queue of tasks for which neither the task nor the call names one.
    pub fn default_queue(&self) -> Queue {
        self.queue(self.config().default_queue())
    }
}

impl Queue {
    /// Its short name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The backend's operations, if the name is valid.
    fn operations(&self) -> Result<&Arc<dyn QueueOperations>, Error> {
        names::validate_queue(&self.name).map_err(|error| nothing_done(&error))?;
        self.runtime.queue_admin().ok_or_else(|| {
            let message = format!(
                "nothing was done to queue {}: this runtime's backend has no queue operations; Google Cloud Tasks, its emulators and the local engine have them",
                self.name
            );
            Error::new(ErrorKind::Config, message)
        })
    }

    /// The backend's operations, if the name and this task id are valid.
    fn operations_on(&self, id: &str) -> Result<&Arc<dyn QueueOperations>, Error> {
        names::validate_task_id(id).map_err(|error| nothing_done(&error))?;
        self.operations()
    }

    /// Returns a task with its arguments, or `None` if it is not in the queue (any more).
    ///
    /// # Errors
    ///
    /// If the call fails; the error names a missing role (`roles/cloudtasks.viewer`).
    pub async fn get(&self, id: impl AsRef<str>) -> Result<Option<QueuedTask>, Error> {
        self.view(id.as_ref(), View::Full).await
    }

    /// A task, with or without its arguments.
    async fn view(&self, id: &str, view: View) -> Result<Option<QueuedTask>, Error> {
        self.operations_on(id)?.get(&self.name, id, view).await
    }

    /// Lists all tasks, page by page, in no particular order. Nothing is requested until the stream is polled.
    ///
    /// The queue keeps running: tasks that arrive or end in the meantime may or may not be listed.
    pub fn list(&self) -> QueuedTasks {
        QueuedTasks::new(Ok(self.clone()), Selection::default())
    }

    /// Deletes a task, so that it is not attempted again. Returns `false` if it was not found.
    ///
    /// An attempt in progress runs to its end. The id stays blocked for a while, as after a task that has run.
    ///
    /// # Errors
    ///
    /// If the call fails; the error says whether the task may have been deleted, and names a missing role
    /// (`roles/cloudtasks.taskDeleter`).
    pub async fn cancel(&self, id: impl AsRef<str>) -> Result<bool, Error> {
        let id = id.as_ref();
        let found = self.operations_on(id)?.delete(&self.name, id).await?;
        tracing::info!(queue = self.name, id, found, "cancelled");
        Ok(found)
    }

    /// Asks Cloud Tasks to dispatch a task now, even before its time or from a paused queue. Returns `false` if it was
    /// not found.
    ///
    /// It counts as an attempt. If an attempt is in progress, two run concurrently.
    ///
    /// # Errors
    ///
    /// If the call fails; the error says whether the task may have been dispatched, and names a missing role
    /// (`roles/cloudtasks.taskRunner`). A call whose response was lost is not retried, since the task might be
    /// dispatched twice.
    pub async fn run_now(&self, id: impl AsRef<str>) -> Result<bool, Error> {
        let id = id.as_ref();
        let found = self.operations_on(id)?.run(&self.name, id).await?;
        tracing::info!(queue = self.name, id, found, "sent now");
        Ok(found)
    }

    /// Runs a task of the queue in this process, with the arguments, headers, timeout and counts of its next attempt.
    /// Returns its output.
    ///
    /// The task's URL must be one of this service, as for [`delete_tasks`](Self::delete_tasks). The task stays in the
    /// queue and is still attempted there. An idempotent task runs, too, whether it has run before or not, and the idempotency
    /// store does not learn of it: the queue's attempts go on while you debug it. An effect of [`Context::once`](crate::Context::once) is
    /// claimed as always.
    ///
    /// # Errors
    ///
    /// If the queue has no such task of this service ([`ErrorKind::NotQueued`]), if the task is not in this runtime, if
    /// the call fails, or if the task itself fails, as with [`Task::sync`](crate::Task::sync).
    pub async fn run_here(&self, id: impl AsRef<str>) -> Result<Value, Error> {
        let id = id.as_ref();
        let task = self.view(id, View::Full).await?;
        let task = task.ok_or_else(|| self.not_queued(id))?;
        run_here::run(&self.runtime, task, run_here::Service::This).await
    }

    /// Runs a task of any service in this process, if this runtime has a task with the name at the end of its URL.
    ///
    /// So your laptop, with another endpoint, can run a task that waits for the deployed service. You must know that the
    /// name means the same task there. See [`run_here`](Self::run_here).
    ///
    /// # Errors
    ///
    /// Like [`run_here`](Self::run_here).
    pub async fn run_here_of_any_service(&self, id: impl AsRef<str>) -> Result<Value, Error> {
        let id = id.as_ref();
        let task = self.view(id, View::Full).await?;
        let task = task.ok_or_else(|| self.not_queued(id))?;
        run_here::run(&self.runtime, task, run_here::Service::Any).await
    }

    pub(crate) fn not_queued(&self, id: &str) -> Error {
        let message = format!(
            "task {id} not found in queue {}: it may have completed, been deleted or never existed",
            self.name
        );
        Error::new(ErrorKind::NotQueued, message)
    }

    /// Deletes many tasks; nothing happens until it is awaited. By default it deletes all tasks, whichever service they
    /// belong to.
    pub fn delete_tasks(&self) -> DeleteTasks {
        DeleteTasks::new(Ok(self.clone()), Selection::default())
    }

    /// Pauses the queue: it accepts tasks but does not dispatch them. Attempts in progress continue.
    ///
    /// # Errors
    ///
    /// If the call fails; the error names a missing role (`roles/cloudtasks.queueAdmin`).
    pub async fn pause(&self) -> Result<(), Error> {
        self.operations()?.pause(&self.name).await?;
        tracing::info!(queue = self.name, "paused");
        Ok(())
    }

    /// Resumes the queue.
    ///
    /// # Errors
    ///
    /// Like [`pause`](Self::pause).
    pub async fn resume(&self) -> Result<(), Error> {
        self.operations()?.resume(&self.name).await?;
        tracing::info!(queue = self.name, "resumed");
        Ok(())
    }

    /// Deletes all tasks of the queue, whichever service they belong to, in one call. It cannot be undone.
    ///
    /// On Google Cloud it takes up to a minute, in which tasks may still be dispatched.
    /// [`delete_tasks`](Self::delete_tasks) is slower, but can select, count and do a dry run.
    ///
    /// # Errors
    ///
    /// Like [`pause`](Self::pause).
    pub async fn purge(&self) -> Result<(), Error> {
        self.operations()?.purge(&self.name).await?;
        tracing::info!(queue = self.name, "purged");
        Ok(())
    }

    /// Returns the state and the settings of the queue.
    ///
    /// # Errors
    ///
    /// If the call fails; the error names a missing role (`roles/cloudtasks.viewer`).
    pub async fn info(&self) -> Result<QueueInfo, Error> {
        self.operations()?.info(&self.name).await
    }
}

fn nothing_done(error: &Invalid) -> Error {
    Error::invalid(format!("nothing was done: {error}"))
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
