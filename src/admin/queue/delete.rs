//! Deleting many tasks.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};

use crate::admin::queue::Queue;
use crate::admin::queue::list::PAGE;
use crate::admin::queue::report::DeleteReport;
use crate::admin::queue::selection::Selection;
use crate::backend::{QueueOperations, View};
use crate::base::{Error, QueuedTask};

/// Tasks of a queue to be deleted; nothing happens until it is awaited. Returned by [`Queue::delete_tasks`].
///
/// The queue is listed without arguments, in pages of at most 1,000 tasks. The selected tasks of a page are deleted
/// before the next page is requested, so memory does not grow with the queue. The queue keeps running: tasks that
/// arrive after their page was listed are left for the next run.
///
/// ```
/// use std::time::Duration;
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct ChargePool { invoice: u64 }
///
/// #[task]
/// impl Task for ChargePool {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, _recorder) = Runtime::recorded().build().await?;
/// for invoice in 1..=3 {
///     ChargePool { invoice }.later(Duration::from_secs(3600)).on(&runtime).await?;
/// }
/// let queue = runtime.default_queue();
///
/// let look = queue.delete_tasks().task("ChargePool").dry_run().await?;
/// assert_eq!((look.deleted, look.dry_run), (3, true));
/// let report = queue
///     .delete_tasks()
///     .task("ChargePool")
///     .concurrency(8)
///     .on_progress(|report| println!("{} so far", report.deleted))
///     .await?;
/// assert_eq!(report.to_string(), "3 of 3 tasks in queue tasks were deleted");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If the queue cannot be listed. The error says how many tasks were deleted before; the others stay. The required
/// roles are `roles/cloudtasks.viewer` and `roles/cloudtasks.taskDeleter`.
#[must_use = "nothing is deleted until this is awaited"]
pub struct DeleteTasks {
    queue: Result<Queue, Error>,
    selection: Selection,
    dry_run: bool,
    concurrency: usize,
    callbacks: Callbacks,
}

/// The callbacks.
struct Callbacks {
    task: Box<dyn FnMut(&QueuedTask) + Send>,
    progress: Box<dyn FnMut(&DeleteReport) + Send>,
}

impl DeleteTasks {
    pub(crate) fn new(queue: Result<Queue, Error>, selection: Selection) -> Self {
        Self {
            queue,
            selection,
            dry_run: false,
            concurrency: 16,
            callbacks: Callbacks {
                task: Box::new(|_| {}),
                progress: Box::new(|_| {}),
            },
        }
    }

    /// Selects only tasks of this name (or alias) in this service; another service's tasks with the same name are left
    /// alone. An unregistered name is used as it is.
    pub fn task(mut self, name: impl AsRef<str>) -> Self {
        if let Ok(queue) = &self.queue {
            self.selection = self.selection.named(name.as_ref(), queue);
        }
        self
    }

    /// Selects only tasks with at least this many attempts.
    pub fn at_least_attempts(mut self, attempts: u32) -> Self {
        self.selection = self.selection.at_least_attempts(attempts);
        self
    }

    /// Only counts the tasks, and deletes nothing.
    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Sets how many tasks are deleted concurrently; default 16, at least 1. `Google::calls_in_flight` applies too.
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls.max(1);
        self
    }

    /// Sets a callback for each task before it is deleted, or would be.
    pub fn on_task(mut self, callback: impl FnMut(&QueuedTask) + Send + 'static) -> Self {
        self.callbacks.task = Box::new(callback);
        self
    }

    /// Sets a callback for the progress, called after each listed page and each deleted task.
    pub fn on_progress(mut self, callback: impl FnMut(&DeleteReport) + Send + 'static) -> Self {
        self.callbacks.progress = Box::new(callback);
        self
    }

    async fn run(mut self) -> Result<DeleteReport, Error> {
        let queue = self.queue?;
        let operations = queue.operations()?;
        let mut report = DeleteReport::new(queue.name(), self.dry_run);
        let mut from = None;
        loop {
            let page = operations.page(queue.name(), View::Basic, PAGE, from.as_deref());
            let page = page.await.map_err(|error| stopped(&report, error))?;
            report.scanned += page.tasks.len() as u64;
            let tasks = page.tasks.into_iter().filter(|task| self.selection.matches(task));
            if self.dry_run {
                report.deleted += tasks.inspect(|task| (self.callbacks.task)(task)).count() as u64;
            } else {
                let tasks = tasks.collect();
                delete(
                    operations,
                    tasks,
                    self.concurrency,
                    &mut self.callbacks,
                    &mut report,
                )
                .await;
            }
            (self.callbacks.progress)(&report);
            from = match page.next {
                Some(next) => Some(next),
                None => break,
            };
        }
        if !self.dry_run {
            tracing::info!(
                queue = queue.name(),
                deleted = report.deleted,
                gone = report.gone,
                failed = report.failed,
                "deleted"
            );
        }
        Ok(report)
    }
}

/// Deletes the tasks of a page, with bounded concurrency.
async fn delete(
    operations: &Arc<dyn QueueOperations>,
    tasks: Vec<QueuedTask>,
    at_once: usize,
    callbacks: &mut Callbacks,
    report: &mut DeleteReport,
) {
    let Callbacks {
        task: callback,
        progress,
    } = callbacks;
    let mut deleted = stream::iter(tasks)
        .map(|task| {
            callback(&task);
            let operations = Arc::clone(operations);
            async move {
                let deleted = operations.delete(task.queue(), task.id()).await;
                (task.id().to_owned(), deleted)
            }
        })
        .buffer_unordered(at_once);
    while let Some((id, deleted)) = deleted.next().await {
        report.count(id, deleted);
        progress(report);
    }
}

/// The error of an interrupted list.
fn stopped(report: &DeleteReport, error: Error) -> Error {
    if report.dry_run || report.scanned == 0 {
        return error;
    }
    let message = format!("the deletion was not finished: {report}, then listing failed");
    Error::new(error.kind(), message).with_source(error)
}

impl IntoFuture for DeleteTasks {
    type Output = Result<DeleteReport, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for DeleteTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeleteTasks")
            .field("queue", &self.queue)
            .field("selection", &self.selection)
            .field("dry_run", &self.dry_run)
            .finish_non_exhaustive()
    }
}
