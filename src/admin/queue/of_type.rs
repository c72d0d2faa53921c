//! Operations on the tasks of one type.

use std::fmt;
use std::marker::PhantomData;

use crate::admin::queue::Queue;
use crate::admin::queue::delete::DeleteTasks;
use crate::admin::queue::list::QueuedTasks;
use crate::admin::queue::run_here;
use crate::admin::queue::selection::Selection;
use crate::backend::View;
use crate::base::{Error, QueuedTask};
use crate::registry::Registered;
use crate::runtime::Runtime;
use crate::task::Task;

/// The tasks of one type in its queue; returned by [`QueueExt::queued_tasks`].
///
/// A task belongs to the type if its URL is exactly this service's URL for the type's name or one of its aliases. All
/// other tasks are ignored, so that services can share a queue. On your laptop, set the endpoint of the service whose
/// tasks you mean.
///
/// ```
/// use std::time::Duration;
/// use cloud_tasks::queue::QueueExt;
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct SendWarning { user_id: u64 }
///
/// #[task(queue = "emails")]
/// impl Task for SendWarning {
///     async fn run(self, _cx: Context) -> TaskResult<String> { Ok(format!("sent to {}", self.user_id)) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, _recorder) = Runtime::recorded().build().await?;
/// runtime.scope(async {
///     let enqueued = SendWarning { user_id: 7 }.later(Duration::from_secs(3600)).await?;
///     let text: String = SendWarning::queued_tasks().run_here(enqueued.id()).await?;
///     assert_eq!(text, "sent to 7");
///     assert!(SendWarning::queued_tasks().cancel(enqueued.id()).await?);
///     assert!(SendWarning::queued_tasks().in_queue("slow").get(enqueued.id()).await?.is_none());
///     Ok::<_, cloud_tasks::Error>(())
/// }).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "this looks at nothing by itself"]
pub struct Tasks<T> {
    queue: Option<String>,
    runtime: Option<Runtime>,
    task: PhantomData<fn() -> T>,
}

/// Queue operations on the tasks of one type; implemented for every registered type.
pub trait QueueExt: Registered {
    /// Returns the tasks of this type that wait in its queue: inspect, cancel, run and delete them.
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
    /// # let (runtime, _recorder) = Runtime::recorded().build().await?;
    /// let stuck = RemindOfParcel::queued_tasks().on(&runtime).delete_tasks().at_least_attempts(5).await?;
    /// assert_eq!(stuck.deleted, 0);
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
    /// Sets the queue, instead of the type's own or the default one.
    pub fn in_queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Uses this runtime instead of the one in scope or installed.
    pub fn on(mut self, runtime: &Runtime) -> Self {
        self.runtime = Some(runtime.clone());
        self
    }

    fn queue(&self) -> Result<Queue, Error> {
        let runtime = match &self.runtime {
            Some(runtime) => runtime.clone(),
            None => Runtime::current()?,
        };
        let queue = self.queue.as_deref().or(T::__REGISTRATION.declared().queue);
        Ok(queue.map_or_else(|| runtime.default_queue(), |queue| runtime.queue(queue)))
    }

    /// The queue, and the selection of its tasks.
    fn source(&self) -> (Result<Queue, Error>, Selection) {
        let queue = self.queue();
        let selection = match &queue {
            Ok(queue) => {
                let runtime = queue.runtime();
                let registration = runtime.registry().resolve(*T::__REGISTRATION.declared());
                Selection::default().of(&registration, runtime.config())
            }
            Err(_) => Selection::default(),
        };
        (queue, selection)
    }

    /// The queue, if it has this task of the type.
    async fn find(&self, id: &str) -> Result<Option<Queue>, Error> {
        let (queue, selection) = self.source();
        let queue = queue?;
        let found = queue.view(id, View::Basic).await?;
        Ok(found.filter(|task| selection.matches(task)).map(|_| queue))
    }

    /// Returns a task of the type, with its arguments.
    ///
    /// # Errors
    ///
    /// Like [`Queue::get`], and if there is no runtime.
    pub async fn get(&self, id: impl AsRef<str>) -> Result<Option<QueuedTask>, Error> {
        let (queue, selection) = self.source();
        let found = queue?.get(id).await?;
        Ok(found.filter(|task| selection.matches(task)))
    }

    /// Lists all tasks of the type; see [`Queue::list`].
    pub fn list(&self) -> QueuedTasks {
        let (queue, selection) = self.source();
        QueuedTasks::new(queue, selection)
    }

    /// Deletes a task of the type. Returns `false` if it was not found. See [`Queue::cancel`].
    ///
    /// # Errors
    ///
    /// Like [`Queue::get`] and [`Queue::cancel`], and if there is no runtime.
    pub async fn cancel(&self, id: impl AsRef<str>) -> Result<bool, Error> {
        let id = id.as_ref();
        match self.find(id).await? {
            Some(queue) => queue.cancel(id).await,
            None => Ok(false),
        }
    }

    /// Dispatches a task of the type now. Returns `false` if it was not found. See [`Queue::run_now`].
    ///
    /// # Errors
    ///
    /// Like [`Queue::get`] and [`Queue::run_now`], and if there is no runtime.
    pub async fn run_now(&self, id: impl AsRef<str>) -> Result<bool, Error> {
        let id = id.as_ref();
        match self.find(id).await? {
            Some(queue) => queue.run_now(id).await,
            None => Ok(false),
        }
    }

    /// Deletes many tasks of the type; see [`Queue::delete_tasks`].
    pub fn delete_tasks(&self) -> DeleteTasks {
        let (queue, selection) = self.source();
        DeleteTasks::new(queue, selection)
    }
}

impl<T: Task> Tasks<T> {
    /// Runs a task of the queue in this process and returns its output; the task stays in the queue. See
    /// [`Queue::run_here`].
    ///
    /// # Errors
    ///
    /// Like [`Queue::run_here`], and if the task is of another type, or if there is no runtime.
    pub async fn run_here(&self, id: impl AsRef<str>) -> Result<T::Output, Error> {
        let (queue, id) = (self.queue()?, id.as_ref());
        let task = queue.get(id).await?.ok_or_else(|| queue.not_queued(id))?;
        run_here::run_typed::<T>(queue.runtime(), task, run_here::Service::This).await
    }

    /// Runs a task of any service in this process, if the name at the end of its URL is that of the type. See
    /// [`Queue::run_here_of_any_service`].
    ///
    /// # Errors
    ///
    /// Like [`Queue::run_here_of_any_service`], and if the task is of another type, or if there is no runtime.
    pub async fn run_here_of_any_service(&self, id: impl AsRef<str>) -> Result<T::Output, Error> {
        let (queue, id) = (self.queue()?, id.as_ref());
        let task = queue.get(id).await?.ok_or_else(|| queue.not_queued(id))?;
        run_here::run_typed::<T>(queue.runtime(), task, run_here::Service::Any).await
    }
}

impl<T: Registered> fmt::Debug for Tasks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks")
            .field("task", &T::__REGISTRATION.declared().name)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}
