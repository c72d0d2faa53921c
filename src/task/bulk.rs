//! Enqueueing many tasks: so many at once, a result for each, and never more of the input than that in memory.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use http::HeaderMap;

use crate::base::{Enqueued, Error, own_header};
use crate::runtime::{RunAt, Runtime, Scope, Start};
use crate::task::Task;
use crate::task::enqueue::Enqueue;

/// How many are enqueued at once, unless it is said.
const AT_ONCE: usize = 64;

/// Results in the order of what was to be enqueued.
type Results<'a> = Pin<Box<dyn Stream<Item = Result<Enqueued, Error>> + Send + 'a>>;

/// What is told of every result.
type Callback<'a> = Box<dyn FnMut(&BulkProgress) + Send + 'a>;

/// Many tasks that are about to be enqueued; nothing happens until it is awaited, or its [`stream`](Self::stream) is.
///
/// Awaited, it gives a result for each task, in the order of the input. One that fails does not keep the others from being
/// enqueued. The options are those of [`Enqueue`], and hold for each of the tasks.
///
/// ```standalone_crate
/// use std::time::Duration;
/// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # struct Remind { user_id: u64 }
/// # #[task]
/// # impl Task for Remind {
/// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// # let (runtime, recorder) = Runtime::recorded().build().await?;
/// let results = Remind::asap_all((1..=1000).map(|user_id| Remind { user_id }))
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
    options: Options,
    runtime: Option<Runtime>,
    on_progress: Option<Callback<'a>>,
}

/// What is said of all the tasks.
#[derive(Default)]
struct Options {
    start: Option<Start>,
    queue: Option<String>,
    timeout: Option<Duration>,
    headers: HeaderMap,
    /// What is wrong with them, which every task is told.
    mistake: Option<String>,
}

/// How far a bulk is, when one more of its results has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkProgress {
    /// How many results there are: enqueued, duplicates and failed together.
    pub done: usize,
    /// How many tasks were created.
    pub enqueued: usize,
    /// How many existed already, under the id that they were given.
    pub duplicates: usize,
    /// How many were not enqueued, or may not have been.
    pub failed: usize,
    /// How many there will be in the end, where the input can tell.
    pub total: Option<usize>,
}

impl<'a, T: Task> EnqueueAll<'a, T> {
    pub(crate) fn new(tasks: impl Stream<Item = T> + Send + 'a) -> Self {
        Self {
            tasks: Box::pin(tasks),
            concurrency: AT_ONCE,
            options: Options::default(),
            runtime: None,
            on_progress: None,
        }
    }

    /// Sets how many are enqueued at once; 64, unless set, and at least 1.
    ///
    /// No more of them than this are taken from the input before the first result is taken out. With Google, the calls of the
    /// whole runtime are bounded as well, by `Google::calls_in_flight`.
    pub fn concurrency(mut self, tasks: usize) -> Self {
        self.concurrency = tasks.max(1);
        self
    }

    /// Sends them to this queue, instead of the task's own or the default one.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.options.queue = Some(queue.into());
        self
    }

    /// Lets each run after a while, counted from when it is enqueued, or at an instant.
    pub fn later(mut self, when: impl Into<RunAt>) -> Self {
        self.options.start = Some(Start::At(when.into()));
        self
    }

    /// Lets each run at a random instant of its own between its enqueueing and a deadline, which spreads the load.
    pub fn spread_until(mut self, deadline: impl Into<RunAt>) -> Self {
        self.options.start = Some(Start::Before(deadline.into()));
        self
    }

    /// Sets how long one attempt may take, as [`Enqueue::timeout`] does.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Adds a header to the requests that the tasks come back as, as [`Enqueue::header`] does.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        match own_header(name.as_ref(), value.as_ref()) {
            Ok((name, value)) => {
                self.options.headers.insert(name, value);
            }
            Err(mistake) => {
                let task = T::__REGISTRATION.name;
                let mistake = format!("task {task} was not enqueued: {mistake}");
                self.options.mistake.get_or_insert(mistake);
            }
        }
        self
    }

    /// Uses this runtime, whichever is in scope or installed.
    pub fn on(mut self, runtime: &Runtime) -> Self {
        self.runtime = Some(runtime.clone());
        self
    }

    /// Calls this with every result that comes, in the order of the input.
    pub fn on_progress(mut self, callback: impl FnMut(&BulkProgress) + Send + 'a) -> Self {
        self.on_progress = Some(Box::new(callback));
        self
    }

    /// The results as they come, in the order of the input, which is taken from no faster than results are taken out.
    ///
    /// It holds [`concurrency`](Self::concurrency) tasks and results at most, so the input may be endless. Dropped, it
    /// enqueues no more; a task whose call is under way may have been created or not.
    ///
    /// ```standalone_crate
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct Remind { user_id: u64 }
    /// # #[task]
    /// # impl Task for Remind {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// # let (runtime, recorder) = Runtime::recorded().build().await?;
    /// use futures_util::{StreamExt, TryStreamExt};
    ///
    /// let everybody = (1..).map(|user_id| Remind { user_id });
    /// let ids: Vec<String> = Remind::asap_all(everybody)
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
        let options = Arc::new(options);
        let mut scope = None;
        let results = tasks
            .map(move |task| {
                let scope = find_scope(&mut scope, runtime.as_ref());
                let enqueue = Enqueue::of(&task);
                let options = Arc::clone(&options);
                async move { options.apply(enqueue).send_in(&*scope?).await }
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

/// Finds the scope once, when the first task is taken; where there is none, every task is told.
fn find_scope(found: &mut Option<Arc<Scope>>, runtime: Option<&Runtime>) -> Result<Arc<Scope>, Error> {
    if let Some(scope) = found {
        return Ok(Arc::clone(scope));
    }
    let scope = match runtime {
        Some(runtime) => Scope::of(runtime),
        None => Scope::current()?,
    };
    Ok(Arc::clone(found.insert(Arc::new(scope))))
}

fn exact((least, most): (usize, Option<usize>)) -> Option<usize> {
    most.filter(|most| *most == least)
}

impl Options {
    fn apply(&self, mut enqueue: Enqueue) -> Enqueue {
        if let Some(mistake) = &self.mistake {
            return enqueue.refused(Error::invalid(mistake));
        }
        if let Some(start) = self.start {
            enqueue = enqueue.starting(start);
        }
        if let Some(queue) = &self.queue {
            enqueue = enqueue.queue(queue);
        }
        if let Some(timeout) = self.timeout {
            enqueue = enqueue.timeout(timeout);
        }
        enqueue.with_headers(&self.headers)
    }
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

impl<'a, T: Task> IntoFuture for EnqueueAll<'a, T> {
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
