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

/// Tasks of a queue that are about to be deleted; nothing happens until it is awaited. Made by [`Queue::discard`].
///
/// The queue is listed without arguments, a page of at most 1,000 tasks at a time, and those that fit are deleted before the
/// next page is asked for: memory does not grow with the queue. The queue goes on meanwhile, so a task that came after its
/// page was listed is left for the next run.
///
/// ```standalone_crate
/// use std::time::Duration;
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Charge { invoice: u64 }
///
/// #[task]
/// impl Task for Charge {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, engine) = Runtime::local().build().await?;
/// for invoice in 1..=3 {
///     Charge { invoice }.later(Duration::from_secs(3600)).on(&runtime).await?;
/// }
/// let queue = runtime.default_queue();
///
/// let look = queue.discard().task("Charge").dry_run().await?;
/// assert_eq!((look.discarded, look.dry_run), (3, true));
/// let report = queue
///     .discard()
///     .task("Charge")
///     .concurrency(8)
///     .on_progress(|report| println!("{} so far", report.discarded))
///     .await?;
/// assert_eq!(report.to_string(), "3 of 3 tasks in queue tasks were discarded");
/// # engine.stop().await;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// When the queue cannot be listed: the error says how many tasks were deleted by then, and those behind stay. The
/// roles that are needed are `roles/cloudtasks.viewer` and `roles/cloudtasks.taskDeleter`.
#[must_use = "nothing is deleted until this is awaited"]
pub struct DeleteTasks {
    queue: Result<Queue, Error>,
    wanted: Selection,
    dry_run: bool,
    concurrency: usize,
    told: Told,
}

/// Whom to tell of what.
struct Told {
    task: Box<dyn FnMut(&QueuedTask) + Send>,
    progress: Box<dyn FnMut(&DeleteReport) + Send>,
}

impl DeleteTasks {
    pub(crate) fn new(queue: Result<Queue, Error>, wanted: Selection) -> Self {
        Self {
            queue,
            wanted,
            dry_run: false,
            concurrency: 16,
            told: Told {
                task: Box::new(|_| {}),
                progress: Box::new(|_| {}),
            },
        }
    }

    /// Only those that go to the task of this name (or alias) in this service: what another service has under the same name
    /// is left alone. A name that is not registered (any more) is taken as it is.
    pub fn task(mut self, name: impl AsRef<str>) -> Self {
        if let Ok(queue) = &self.queue {
            self.wanted = self.wanted.named(name.as_ref(), queue);
        }
        self
    }

    /// Only those that were tried this many times or more.
    pub fn at_least_attempts(mut self, attempts: u32) -> Self {
        self.wanted = self.wanted.at_least_attempts(attempts);
        self
    }

    /// Looks which they are, and deletes nothing.
    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Sets how many are deleted at once; default 16, at least 1. `Google::calls_in_flight` bounds it too.
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls.max(1);
        self
    }

    /// Tells of every task that is about to be deleted, or would be.
    pub fn on_task(mut self, tell: impl FnMut(&QueuedTask) + Send + 'static) -> Self {
        self.told.task = Box::new(tell);
        self
    }

    /// Tells what was done so far, after every page that was listed and every task that was deleted.
    pub fn on_progress(mut self, tell: impl FnMut(&DeleteReport) + Send + 'static) -> Self {
        self.told.progress = Box::new(tell);
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
            let tasks = page.tasks.into_iter().filter(|task| self.wanted.fits(task));
            if self.dry_run {
                report.discarded += tasks.inspect(|task| (self.told.task)(task)).count() as u64;
            } else {
                let tasks = tasks.collect();
                delete(operations, tasks, self.concurrency, &mut self.told, &mut report).await;
            }
            (self.told.progress)(&report);
            from = match page.next {
                Some(next) => Some(next),
                None => break,
            };
        }
        if !self.dry_run {
            tracing::info!(
                queue = queue.name(),
                discarded = report.discarded,
                gone = report.gone,
                failed = report.failed,
                "discarded"
            );
        }
        Ok(report)
    }
}

/// Deletes the tasks of a page, so many at once.
async fn delete(
    operations: &Arc<dyn QueueOperations>,
    tasks: Vec<QueuedTask>,
    at_once: usize,
    told: &mut Told,
    report: &mut DeleteReport,
) {
    let Told { task: tell, progress } = told;
    let mut deleted = stream::iter(tasks)
        .map(|task| {
            tell(&task);
            let operations = Arc::clone(operations);
            async move {
                let deleted = operations.delete(&task.queue, &task.id).await;
                (task.id, deleted)
            }
        })
        .buffer_unordered(at_once);
    while let Some((id, deleted)) = deleted.next().await {
        report.count(id, deleted);
        progress(report);
    }
}

/// A list that broke off.
fn stopped(report: &DeleteReport, error: Error) -> Error {
    if report.dry_run || report.scanned == 0 {
        return error;
    }
    let message = format!("the discard was not finished: {report}, and then the list broke off");
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
            .field("wanted", &self.wanted)
            .field("dry_run", &self.dry_run)
            .finish_non_exhaustive()
    }
}
