//! Bulk enqueueing with bounded concurrency and memory.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{Enqueued, Error};
use crate::registry::Registered;
use crate::runtime::{RunAt, Runtime, Scope, SendOptions, Start};
use crate::task::enqueue::Enqueue;

/// The default concurrency.
const AT_ONCE: usize = 64;

/// Results in input order.
type Results<'a> = Pin<Box<dyn Stream<Item = Result<Enqueued, Error>> + Send + 'a>>;

/// The progress callback.
type Callback<'a> = Box<dyn FnMut(&BulkProgress) + Send + 'a>;

/// Many tasks to be enqueued; nothing happens until it is awaited, or its [`stream`](Self::stream) is.
///
/// When awaited, it returns one result per task, in input order; a failure does not stop the rest. The options are
/// those of [`Enqueue`], and apply to each task.
///
/// ```
/// use std::time::Duration;
/// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # struct RemindSubscriber { user_id: u64 }
/// # #[task]
/// # impl Task for RemindSubscriber {
/// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// # let (runtime, recorder) = Runtime::recorded().build().await?;
/// let results = RemindSubscriber::asap_all((1..=1000).map(|user_id| RemindSubscriber { user_id }))
///     .spread_until(Duration::from_secs(3600))
///     .queue("reminders")
///     .concurrency(16)
///     .on_progress(|progress| println!("{} of {:?}", progress.done, progress.total))
///     .on(&runtime)
///     .await;
/// assert_eq!(results.len(), 1000);
/// for (number, result) in (1..).zip(results) {
///     if let Err(error) = result {
///         println!("{number}: {error}");
///     }
/// }
/// # assert_eq!(recorder.envelopes().len(), 1000);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is enqueued until this is awaited, or its stream is"]
pub struct EnqueueAll<'a, T> {
    tasks: Pin<Box<dyn Stream<Item = T> + Send + 'a>>,
    concurrency: usize,
    options: SendOptions,
    runtime: Option<Runtime>,
    on_progress: Option<Callback<'a>>,
}

/// The progress of a bulk, after each result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkProgress {
    /// The number of results so far: enqueued, duplicates and failed.
    pub done: usize,
    /// The number of created tasks.
    pub enqueued: usize,
    /// The number of tasks whose id existed already.
    pub duplicates: usize,
    /// The number of tasks that were not enqueued, or may not have been.
    pub failed: usize,
    /// The total number of tasks, if the input knows it.
    pub total: Option<usize>,
}

impl<'a, T: Registered + Serialize + DeserializeOwned + Send + 'static> EnqueueAll<'a, T> {
    pub(crate) fn new(tasks: impl Stream<Item = T> + Send + 'a) -> Self {
        Self {
            tasks: Box::pin(tasks),
            concurrency: AT_ONCE,
            options: SendOptions::default(),
            runtime: None,
            on_progress: None,
        }
    }

    /// Sets how many tasks are enqueued concurrently; default 64, at least 1.
    ///
    /// No more tasks than this are taken from the input before the first result is taken. With Google,
    /// `Google::calls_in_flight` also limits the calls of the whole runtime.
    pub fn concurrency(mut self, tasks: usize) -> Self {
        self.concurrency = tasks.max(1);
        self
    }

    /// Sets the queue, instead of the task's own or the default one.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.options.queue = Some(queue.into());
        self
    }

    /// Delays each task, counted from when it is enqueued, or schedules all at a given time.
    pub fn later(mut self, when: impl Into<RunAt>) -> Self {
        self.options.start = Start::At(when.into());
        self
    }

    /// Schedules each task at a random time between its enqueueing and a deadline, to spread the load.
    pub fn spread_until(mut self, deadline: impl Into<RunAt>) -> Self {
        self.options.start = Start::Before(deadline.into());
        self
    }

    /// Sets the timeout of one attempt, like [`Enqueue::timeout`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Adds a header to the tasks' requests, like [`Enqueue::header`].
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.options.set_header(name.as_ref(), value.as_ref());
        self
    }

    /// Uses this runtime instead of the one in scope or installed.
    pub fn on(mut self, runtime: &Runtime) -> Self {
        self.runtime = Some(runtime.clone());
        self
    }

    /// Sets a callback for each result, in input order.
    pub fn on_progress(mut self, callback: impl FnMut(&BulkProgress) + Send + 'a) -> Self {
        self.on_progress = Some(Box::new(callback));
        self
    }

    /// Returns the results as a stream, in input order. Input is taken no faster than results.
    ///
    /// It holds at most [`concurrency`](Self::concurrency) tasks and results, so the input may be endless. Dropping it
    /// stops enqueueing; tasks whose calls are in flight may or may not be created.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct RemindGuest { user_id: u64 }
    /// # #[task]
    /// # impl Task for RemindGuest {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// # let (runtime, recorder) = Runtime::recorded().build().await?;
    /// use futures_util::{StreamExt, TryStreamExt};
    ///
    /// let everybody = (1..).map(|user_id| RemindGuest { user_id });
    /// let ids: Vec<String> = RemindGuest::asap_all(everybody)
    ///     .on(&runtime)
    ///     .stream()
    ///     .take(500)
    ///     .map_ok(|enqueued| enqueued.id().to_owned())
    ///     .try_collect()                              // ends at the first failure
    ///     .await?;
    /// assert_eq!(ids.len(), 500);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(self) -> Results<'a> {
        let Self {
            tasks,
            concurrency,
            options,
            runtime,
            on_progress,
        } = self;
        let mut progress = BulkProgress {
            total: exact(tasks.size_hint()),
            ..BulkProgress::default()
        };
        let mut scope = None;
        let results = tasks
            .map(move |task| {
                let scope = find_scope(&mut scope, runtime.as_ref());
                let enqueue = Enqueue::of(&task).with_options(options.clone());
                async move { enqueue.send_in(&*scope?).await }
            })
            .buffered(concurrency);
        match on_progress {
            None => Box::pin(results),
            Some(mut callback) => Box::pin(results.inspect(move |result| {
                progress.count(result);
                callback(&progress);
            })),
        }
    }
}

/// Resolves the scope once, when the first task is taken. Without a scope, every task fails.
fn find_scope(found: &mut Option<Arc<Scope>>, runtime: Option<&Runtime>) -> Result<Arc<Scope>, Error> {
    if let Some(scope) = found {
        return Ok(Arc::clone(scope));
    }
    let scope = Scope::of_or_current(runtime)?;
    Ok(Arc::clone(found.insert(Arc::new(scope))))
}

fn exact((least, most): (usize, Option<usize>)) -> Option<usize> {
    most.filter(|most| *most == least)
}

impl BulkProgress {
    fn count(&mut self, result: &Result<Enqueued, Error>) {
        self.done += 1;
        match result {
            Ok(enqueued) if enqueued.duplicate() => self.duplicates += 1,
            Ok(_) => self.enqueued += 1,
            Err(_) => self.failed += 1,
        }
    }
}

impl<'a, T: Registered + Serialize + DeserializeOwned + Send + 'static> IntoFuture for EnqueueAll<'a, T> {
    type Output = Vec<Result<Enqueued, Error>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.stream().collect())
    }
}

impl<T> fmt::Debug for EnqueueAll<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnqueueAll")
            .field("concurrency", &self.concurrency)
            .field("queue", &self.options.queue)
            .finish_non_exhaustive()
    }
}
