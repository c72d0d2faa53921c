//! One queue, by its name.

pub(crate) mod discard;
pub(crate) mod list;
pub(crate) mod of_type;
pub(crate) mod report;
pub(crate) mod run_here;
pub(crate) mod selection;

pub use crate::base::{LastAttempt, QueuedTask};
pub use crate::base::{QueueInfo, QueueState};
pub use crate::registry::queue_settings::QueueSettings;
pub use discard::DeleteTasks;
pub use list::QueuedTasks;
pub use of_type::{QueueExt, Tasks};
pub use report::{DeleteFailure, DeleteReport};

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::admin::queue::selection::Selection;
use crate::backend::{QueueOperations, View};
use crate::base::{Error, ErrorKind, names};
use crate::runtime::Runtime;

/// A queue and the tasks in it: to look at, to cancel, to run, to pause; made by [`Runtime::queue`].
///
/// Making it calls nobody, and the queue need not be one that this service sends to. The calls are repeated while the service
/// is away or wants fewer of them, and share `Google::calls_in_flight` with those that enqueue.
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
/// assert_eq!(queue.debug(enqueued.id()).await?, 1);       // runs here; the task stays in the queue
/// assert!(queue.cancel(enqueued.id()).await?);
/// assert!(!queue.cancel(enqueued.id()).await?);           // it is gone
/// # engine.stop().await;
/// # Ok(())
/// # }
/// ```
///
/// # Where it works
///
/// With Google Cloud Tasks, an emulator of it and the local engine, which makes a queue that is missing. The queues of a
/// [recorded](Runtime::recorded) runtime hold what waits to be drained: a task that is to run now is due, and those of a paused
/// queue are not drained. The queues of an eager runtime are always empty. A [`Backend`](crate::backend::Backend) of your own has no
/// such operations: each of them is an error.
///
/// # A queue that is not there
///
/// It is an error that names the command which makes it. `get`, `cancel` and `debug` are the exception: Cloud Tasks answers
/// them as if the task were not there.
#[derive(Clone)]
pub struct Queue {
    runtime: Runtime,
    name: String,
}

impl Runtime {
    /// A queue by its short name: to look at what is in it, and to change it.
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

    /// The queue that a task goes to where neither the task nor the call names one.
    pub fn default_queue(&self) -> Queue {
        self.queue(self.config().default_queue())
    }
}

impl Queue {
    /// Its short name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// What the backend can do, once the name is one that a queue can have.
    pub(crate) fn operations(&self) -> Result<&Arc<dyn QueueOperations>, Error> {
        if let Some(mistake) = names::queue_mistake(&self.name) {
            return Err(Error::invalid(format!("nothing was done: {mistake}")));
        }
        self.runtime.queue_admin().ok_or_else(|| {
            let message = format!(
                "nothing was done to queue {}: this runtime's backend has no operations on queues, which Google Cloud \
                 Tasks, an emulator of it and the local engine have",
                self.name
            );
            Error::new(ErrorKind::Config, message)
        })
    }

    /// The same, for the task of this id.
    fn operations_on(&self, id: &str) -> Result<&Arc<dyn QueueOperations>, Error> {
        match names::task_id_mistake(id) {
            Some(mistake) => Err(Error::invalid(format!("nothing was done: {mistake}"))),
            None => self.operations(),
        }
    }

    /// A task with its arguments; `None` where there is none of that id, because it has run for one.
    ///
    /// # Errors
    ///
    /// When the call fails; the error says which role is missing (`roles/cloudtasks.viewer`).
    pub async fn get(&self, id: impl AsRef<str>) -> Result<Option<QueuedTask>, Error> {
        self.view(id.as_ref(), View::Full).await
    }

    /// A task, with or without its arguments.
    pub(crate) async fn view(&self, id: &str, view: View) -> Result<Option<QueuedTask>, Error> {
        self.operations_on(id)?.get(&self.name, id, view).await
    }

    /// All tasks, page by page, in no order that could be relied on; nothing is asked for until the stream is polled.
    ///
    /// The queue goes on meanwhile: tasks that come or end while it is listed may be seen or not.
    pub fn list(&self) -> QueuedTasks {
        QueuedTasks::new(Ok(self.clone()), Selection::default())
    }

    /// Deletes a task, so that it is not tried again; `false` means that there was none of that id.
    ///
    /// An attempt that is under way goes on to its end. The id stays blocked for a while, as that of a task that ran does.
    ///
    /// # Errors
    ///
    /// When the call fails; the error says whether the task may be deleted all the same, and which role is missing
    /// (`roles/cloudtasks.taskDeleter`).
    pub async fn cancel(&self, id: impl AsRef<str>) -> Result<bool, Error> {
        let id = id.as_ref();
        let there = self.operations_on(id)?.delete(&self.name, id).await?;
        tracing::info!(queue = self.name, id, there, "cancelled");
        Ok(there)
    }

    /// Asks Cloud Tasks to send a task now, whenever it is due, also where its queue is paused; `false` means that there was
    /// none of that id.
    ///
    /// It counts as an attempt. Where one is under way there are two at once.
    ///
    /// # Errors
    ///
    /// When the call fails; the error says whether the task may be sent all the same, and which role is missing
    /// (`roles/cloudtasks.taskRunner`). A call whose answer was lost is not repeated, for the task might be sent twice.
    pub async fn run_now(&self, id: impl AsRef<str>) -> Result<bool, Error> {
        let id = id.as_ref();
        let there = self.operations_on(id)?.run(&self.name, id).await?;
        tracing::info!(queue = self.name, id, there, "sent now");
        Ok(there)
    }

    /// Fetches a task and runs it here, as its next attempt would: with its arguments, headers, timeout and counts. Gives back
    /// its output.
    ///
    /// It is found by the name at the end of its URL, so that a laptop can run what waits for the service itself. The task
    /// stays in the queue, and is still tried there.
    ///
    /// # Errors
    ///
    /// When there is no such task in the queue ([`ErrorKind::NotQueued`]) or in this runtime; when the call fails; when the task
    /// does, and then as it would with [`Task::sync`](crate::Task::sync).
    pub async fn debug(&self, id: impl AsRef<str>) -> Result<Value, Error> {
        let id = id.as_ref();
        let task = self.view(id, View::Full).await?;
        run_here::run(&self.runtime, task.ok_or_else(|| self.not_queued(id))?).await
    }

    pub(crate) fn not_queued(&self, id: &str) -> Error {
        let message = format!(
            "there is no task {id} in queue {}: it has run or was deleted, or it never was there",
            self.name
        );
        Error::new(ErrorKind::NotQueued, message)
    }

    /// Deletes many tasks at once; nothing happens until it is awaited. Without further options these are all of them, of
    /// whichever service.
    pub fn discard(&self) -> DeleteTasks {
        DeleteTasks::new(Ok(self.clone()), Selection::default())
    }

    /// Keeps the queue from sending tasks; it still takes them. Attempts under way go on.
    ///
    /// # Errors
    ///
    /// When the call fails; the error says which role is missing (`roles/cloudtasks.queueAdmin`).
    pub async fn pause(&self) -> Result<(), Error> {
        self.operations()?.pause(&self.name).await?;
        tracing::info!(queue = self.name, "paused");
        Ok(())
    }

    /// Lets the queue send tasks again.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn resume(&self) -> Result<(), Error> {
        self.operations()?.resume(&self.name).await?;
        tracing::info!(queue = self.name, "resumed");
        Ok(())
    }

    /// Deletes all tasks of the queue, of whichever service, in one call; it cannot be undone.
    ///
    /// At Google it takes up to a minute, within which tasks may still be sent. [`discard`](Self::discard) is slower, and can
    /// choose, count and look first.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub async fn purge(&self) -> Result<(), Error> {
        self.operations()?.purge(&self.name).await?;
        tracing::info!(queue = self.name, "purged");
        Ok(())
    }

    /// What the queue is like: its state, its rates, its number of attempts.
    ///
    /// # Errors
    ///
    /// When the call fails; the error says which role is missing (`roles/cloudtasks.viewer`).
    pub async fn info(&self) -> Result<QueueInfo, Error> {
        self.operations()?.info(&self.name).await
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
