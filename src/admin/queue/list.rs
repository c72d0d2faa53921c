//! Listing the tasks of a queue.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};

use crate::admin::queue::Queue;
use crate::admin::queue::selection::Selection;
use crate::backend::View;
use crate::base::{Error, QueuedTask};

/// The maximum page size of the service.
pub(super) const PAGE: u16 = 1000;
/// Arguments may have one megabyte each, and a page is held in memory.
const PAGE_WITH_ARGUMENTS: u16 = 100;

/// The tasks of a queue, as a [`Stream`] that holds one page at a time; returned by [`Queue::list`].
///
/// Nothing is requested until it is polled. It ends after an error; the tasks before the error are valid.
///
/// ```
/// use std::time::Duration;
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use futures_util::TryStreamExt;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct ChargeGym { invoice: u64 }
///
/// #[task]
/// impl Task for ChargeGym {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, _recorder) = Runtime::recorded().build().await?;
/// ChargeGym { invoice: 7 }.later(Duration::from_secs(3600)).on(&runtime).await?;
///
/// let mut tasks = runtime.default_queue().list();
/// while let Some(task) = tasks.try_next().await? {
///     assert_eq!(task.arguments::<ChargeGym>()?.invoice, 7);
/// }
/// let ids: Vec<_> = runtime
///     .default_queue()
///     .list()
///     .task("ChargeGym")
///     .without_arguments()
///     .map_ok(|task| task.id().to_owned())
///     .try_collect()
///     .await?;
/// assert_eq!(ids.len(), 1);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is listed until this is polled"]
pub struct QueuedTasks {
    source: Result<Source, Option<Error>>,
}

struct Source {
    queue: Queue,
    selection: Selection,
    view: View,
    page: u16,
    /// Created on first poll.
    tasks: Option<BoxStream<'static, Result<QueuedTask, Error>>>,
}

impl QueuedTasks {
    pub(crate) fn new(queue: Result<Queue, Error>, selection: Selection) -> Self {
        let source = queue.map_err(Some).map(|queue| Source {
            queue,
            selection,
            view: View::Full,
            page: PAGE_WITH_ARGUMENTS,
            tasks: None,
        });
        Self { source }
    }

    /// Omits the arguments, which are large and need the permission `cloudtasks.tasks.fullView`.
    pub fn without_arguments(self) -> Self {
        self.change(|source| {
            source.view = View::Basic;
            source.page = PAGE;
        })
    }

    /// Selects only tasks of this name (or alias) in this service; another service's tasks with the same name are left
    /// out.
    pub fn task(self, name: impl AsRef<str>) -> Self {
        self.change(|source| {
            source.selection = std::mem::take(&mut source.selection).named(name.as_ref(), &source.queue);
        })
    }

    /// Selects only tasks with at least this many attempts.
    pub fn at_least_attempts(self, attempts: u32) -> Self {
        self.change(|source| {
            source.selection = std::mem::take(&mut source.selection).at_least_attempts(attempts);
        })
    }

    /// Requests smaller pages if no more tasks are needed.
    #[cfg(feature = "cli")]
    pub(crate) fn first(self, tasks: usize) -> Self {
        self.change(|source| {
            if source.selection.is_everything() {
                let tasks = u16::try_from(tasks).unwrap_or(u16::MAX);
                source.page = source.page.min(tasks.max(1));
            }
        })
    }

    fn change(mut self, change: impl FnOnce(&mut Source)) -> Self {
        if let Ok(source) = &mut self.source {
            change(source);
        }
        self
    }

    /// Returns the next task, or `None` after the last.
    ///
    /// # Errors
    ///
    /// If a call fails, if there is no runtime, or if its backend has no queue operations. The list ends there.
    pub async fn try_next(&mut self) -> Result<Option<QueuedTask>, Error> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await.transpose()
    }
}

impl Source {
    fn tasks(&self) -> BoxStream<'static, Result<QueuedTask, Error>> {
        let (queue, view, size) = (self.queue.clone(), self.view, self.page);
        let pages = stream::try_unfold(Some(None), move |from: Option<Option<String>>| {
            let queue = queue.clone();
            async move {
                let Some(from) = from else {
                    return Ok(None);
                };
                let page = queue
                    .operations()?
                    .page(queue.name(), view, size, from.as_deref())
                    .await?;
                Ok(Some((page.tasks, page.next.map(Some))))
            }
        });
        let selection = self.selection.clone();
        pages
            .map_ok(move |tasks| {
                let selection = selection.clone();
                stream::iter(
                    tasks
                        .into_iter()
                        .filter(move |task| selection.matches(task))
                        .map(Ok),
                )
            })
            .try_flatten()
            .boxed()
    }
}

impl Stream for QueuedTasks {
    type Item = Result<QueuedTask, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.source {
            Ok(source) => {
                let made = source.tasks.take().unwrap_or_else(|| source.tasks());
                source.tasks.insert(made).poll_next_unpin(cx)
            }
            Err(error) => Poll::Ready(error.take().map(Err)),
        }
    }
}

impl fmt::Debug for QueuedTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedTasks")
            .field("queue", &self.source.as_ref().ok().map(|source| &source.queue))
            .finish_non_exhaustive()
    }
}
