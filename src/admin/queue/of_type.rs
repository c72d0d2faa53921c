//! The tasks of one type.

use std::fmt;
use std::marker::PhantomData;

use crate::admin::queue::Queue;
use crate::admin::queue::discard::DeleteTasks;
use crate::admin::queue::list::QueuedTasks;
use crate::admin::queue::run_here;
use crate::admin::queue::selection::Selection;
use crate::backend::View;
use crate::base::{Error, QueuedTask};
use crate::registry::Registered;
use crate::runtime::Runtime;
use crate::task::Task;

/// The tasks of one type that wait in its queue; made by [`QueueExt::queued_tasks`].
///
/// Of the type is what has exactly this service's URL for its name or one of its aliases. Everything else is as if it were
/// not there, so that a queue which services share loses nobody's tasks. On a laptop the endpoint of the settings must
/// therefore be that of the service that is meant.
///
/// ```standalone_crate
/// use std::time::Duration;
/// use cloud_tasks::queue::QueueExt;
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct SendWelcomeEmail { user_id: u64 }
///
/// #[task(queue = "emails")]
/// impl Task for SendWelcomeEmail {
///     async fn run(self, _cx: Context) -> TaskResult<String> { Ok(format!("sent to {}", self.user_id)) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, engine) = Runtime::local().build().await?;
/// runtime.scope(async {
///     let enqueued = SendWelcomeEmail { user_id: 7 }.later(Duration::from_secs(3600)).await?;
///     let text: String = SendWelcomeEmail::queued_tasks().debug(enqueued.id()).await?;
///     assert_eq!(text, "sent to 7");
///     assert!(SendWelcomeEmail::queued_tasks().cancel(enqueued.id()).await?);
///     assert!(SendWelcomeEmail::queued_tasks().in_queue("slow").get(enqueued.id()).await?.is_none());
///     Ok::<_, cloud_tasks::Error>(())
/// }).await?;
/// # engine.stop().await;
/// # Ok(())
/// # }
/// ```
#[must_use = "this looks at nothing by itself"]
pub struct Tasks<T> {
    queue: Option<String>,
    runtime: Option<Runtime>,
    task: PhantomData<fn() -> T>,
}

/// Finds the tasks of one type in its queue; implemented for everything that `#[task]` registers.
pub trait QueueExt: Registered {
    /// The tasks of this type that wait in its queue: to look at, to cancel, to run here, to discard.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// use cloud_tasks::queue::QueueExt;
    ///
    /// # #[derive(Serialize, Deserialize)]
    /// # struct RemindOfParcel { user_id: u64 }
    /// # #[task]
    /// # impl Task for RemindOfParcel {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// # let (runtime, engine) = Runtime::local().build().await?;
    /// let stuck = RemindOfParcel::queued_tasks().on(&runtime).discard().at_least_attempts(5).await?;
    /// assert_eq!(stuck.discarded, 0);
    /// # engine.stop().await;
    /// # Ok(())
    /// # }
    /// ```
    fn queued_tasks() -> Tasks<Self> {
        Tasks {
            queue: None,
            runtime: None,
            task: PhantomData,
        }
    }
}

impl<T: Registered> QueueExt for T {}

impl<T: Registered> Tasks<T> {
    /// Looks in this queue, instead of the type's own or the default one.
    pub fn in_queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Uses this runtime, whichever is in scope or installed.
    pub fn on(mut self, runtime: &Runtime) -> Self {
        self.runtime = Some(runtime.clone());
        self
    }

    fn queue(&self) -> Result<Queue, Error> {
        let runtime = match &self.runtime {
            Some(runtime) => runtime.clone(),
            None => Runtime::current()?,
        };
        let queue = self.queue.as_deref().or(T::__REGISTRATION.queue);
        Ok(queue.map_or_else(|| runtime.default_queue(), |queue| runtime.queue(queue)))
    }

    /// The queue, and which of its tasks are meant.
    fn source(&self) -> (Result<Queue, Error>, Selection) {
        let queue = self.queue();
        let wanted = match &queue {
            Ok(queue) => Selection::default().of(&T::__REGISTRATION, queue.runtime().config()),
            Err(_) => Selection::default(),
        };
        (queue, wanted)
    }

    /// The queue, if it has this task of the type.
    async fn find(&self, id: &str) -> Result<Option<Queue>, Error> {
        let (queue, wanted) = self.source();
        let queue = queue?;
        let found = queue.view(id, View::Basic).await?;
        Ok(found.filter(|task| wanted.fits(task)).map(|_| queue))
    }

    /// A task of the type, with its arguments.
    ///
    /// # Errors
    ///
    /// As [`Queue::get`], and when there is no runtime.
    pub async fn get(&self, id: impl AsRef<str>) -> Result<Option<QueuedTask>, Error> {
        let (queue, wanted) = self.source();
        let found = queue?.get(id).await?;
        Ok(found.filter(|task| wanted.fits(task)))
    }

    /// All tasks of the type; see [`Queue::list`].
    pub fn list(&self) -> QueuedTasks {
        let (queue, wanted) = self.source();
        QueuedTasks::new(queue, wanted)
    }

    /// Deletes a task of the type; `false` means that there was none of that id. See [`Queue::cancel`].
    ///
    /// # Errors
    ///
    /// As [`Queue::get`] and [`Queue::cancel`], and when there is no runtime.
    pub async fn cancel(&self, id: impl AsRef<str>) -> Result<bool, Error> {
        let id = id.as_ref();
        match self.find(id).await? {
            Some(queue) => queue.cancel(id).await,
            None => Ok(false),
        }
    }

    /// Has a task of the type sent now; `false` means that there was none of that id. See [`Queue::run_now`].
    ///
    /// # Errors
    ///
    /// As [`Queue::get`] and [`Queue::run_now`], and when there is no runtime.
    pub async fn run_now(&self, id: impl AsRef<str>) -> Result<bool, Error> {
        let id = id.as_ref();
        match self.find(id).await? {
            Some(queue) => queue.run_now(id).await,
            None => Ok(false),
        }
    }

    /// Deletes many tasks of the type at once; see [`Queue::discard`].
    pub fn discard(&self) -> DeleteTasks {
        let (queue, wanted) = self.source();
        DeleteTasks::new(queue, wanted)
    }
}

impl<T: Task> Tasks<T> {
    /// Fetches a task and runs it here, as its next attempt would; it stays in the queue. See [`Queue::debug`].
    ///
    /// Unlike the rest it goes by the name alone, whichever service's URL the task has.
    ///
    /// # Errors
    ///
    /// As [`Queue::debug`], and when the task is of another type, or when there is no runtime.
    pub async fn debug(&self, id: impl AsRef<str>) -> Result<T::Output, Error> {
        let (queue, id) = (self.queue()?, id.as_ref());
        let task = queue.get(id).await?.ok_or_else(|| queue.not_queued(id))?;
        run_here::run_typed::<T>(queue.runtime(), task).await
    }
}

impl<T: Registered> fmt::Debug for Tasks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks")
            .field("task", &T::__REGISTRATION.name)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}
