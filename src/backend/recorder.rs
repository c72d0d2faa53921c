//! Nothing runs: what was asked for is kept, to be looked at and to be run when a test says so.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backend::taken::Taken;
use crate::backend::{Backend, BackendFuture};
use crate::envelope::{Enqueued, Envelope};
use crate::error::Error;
use crate::json;
use crate::names;
use crate::publication::Publication;
use crate::runtime::Runtime;
use crate::task::Task;

/// What a runtime made by [`Runtime::recorded`] was asked to do.
///
/// ```standalone_crate
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize)]
/// struct CountDown { from: u32 }
///
/// #[task]
/// impl Task for CountDown {
///     async fn run(self, _cx: Context) -> TaskResult {
///         if self.from > 0 {
///             CountDown { from: self.from - 1 }.asap().await?;
///         }
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// runtime.scope(async { CountDown { from: 3 }.asap().await }).await?;
/// recorder.assert_enqueued::<CountDown>(|task| task.from == 3);
/// recorder.refute_enqueued::<CountDown>(|task| task.from == 2);
/// assert_eq!(recorder.drain().await?, 4);      // and what the runs enqueued
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Recorder {
    tasks: Arc<Mutex<Tasks>>,
    runtime: Option<Runtime>,
}

#[derive(Default)]
struct Tasks {
    waiting: VecDeque<(String, Waiting)>,
    /// Ids that callers gave: as at Google they stay taken after the task ran.
    taken: Taken,
}

/// What waits to be run or delivered, under its id.
#[derive(Clone)]
enum Waiting {
    Task(Envelope),
    Message(Publication),
}

/// The recorder as its runtime holds it; without the way back, which would keep the runtime alive for ever.
pub(crate) struct Recording {
    tasks: Arc<Mutex<Tasks>>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            tasks: Arc::default(),
            runtime: None,
        }
    }

    pub(crate) fn backend(&self) -> Recording {
        Recording {
            tasks: Arc::clone(&self.tasks),
        }
    }

    pub(crate) fn with_runtime(mut self, runtime: Runtime) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Everything that was enqueued and has not run, in that order.
    pub fn envelopes(&self) -> Vec<Envelope> {
        lock(&self.tasks)
            .waiting
            .iter()
            .filter_map(|(_, waiting)| match waiting {
                Waiting::Task(envelope) => Some(envelope.clone()),
                Waiting::Message(_) => None,
            })
            .collect()
    }

    /// Every message that was published and not delivered, in that order.
    pub fn publications(&self) -> Vec<Publication> {
        lock(&self.tasks)
            .waiting
            .iter()
            .filter_map(|(_, waiting)| match waiting {
                Waiting::Message(publication) => Some(publication.clone()),
                Waiting::Task(_) => None,
            })
            .collect()
    }

    /// The tasks of one type that were enqueued and have not run, in that order.
    ///
    /// # Panics
    ///
    /// When one does not decode: the type does not read what it writes.
    #[track_caller]
    pub fn enqueued<T: Task>(&self) -> Vec<T> {
        self.envelopes()
            .iter()
            .filter(|envelope| envelope.task() == T::REGISTRATION.name)
            .map(|envelope| match json::decode(envelope.body()) {
                Ok(task) => task,
                Err(mistake) => panic!("{} does not decode from its own JSON: {mistake}", envelope.task()),
            })
            .collect()
    }

    /// Checks that a task was enqueued that fits and has not run.
    ///
    /// # Panics
    ///
    /// When there is none; the message shows what was enqueued.
    #[track_caller]
    pub fn assert_enqueued<T: Task>(&self, fits: impl Fn(&T) -> bool) {
        assert!(
            self.enqueued::<T>().iter().any(fits),
            "no {} that fits was enqueued; {}",
            T::REGISTRATION.name,
            self.summary()
        );
    }

    /// Checks that no task was enqueued that fits and has not run.
    ///
    /// # Panics
    ///
    /// When there is one; the message shows what was enqueued.
    #[track_caller]
    pub fn refute_enqueued<T: Task>(&self, fits: impl Fn(&T) -> bool) {
        assert!(
            !self.enqueued::<T>().iter().any(fits),
            "a {} that fits was enqueued; {}",
            T::REGISTRATION.name,
            self.summary()
        );
    }

    /// Runs everything that was enqueued, in that order and whatever its time, and what the runs themselves enqueue.
    ///
    /// A message goes to the subscribers of its topic in this process. Gives back how many tasks and messages there were.
    ///
    /// # Errors
    ///
    /// With the first task that fails; it is taken off the record, and those behind it stay.
    pub async fn drain(&self) -> Result<usize, Error> {
        let Some(runtime) = &self.runtime else {
            return Ok(0);
        };
        let mut ran = 0;
        loop {
            let next = lock(&self.tasks).waiting.pop_front();
            match next {
                None => return Ok(ran),
                Some((id, Waiting::Task(envelope))) => {
                    let ran = runtime.run_envelope(&envelope, &id).await;
                    let now = runtime.inner().clock.now();
                    lock(&self.tasks).taken.end(envelope.queue(), &id, now);
                    ran?;
                }
                Some((id, Waiting::Message(publication))) => runtime.deliver(&publication, &id).await?,
            }
            ran += 1;
        }
    }

    fn summary(&self) -> String {
        let envelopes = self.envelopes();
        if envelopes.is_empty() {
            return "nothing was".to_owned();
        }
        let lines: Vec<_> = envelopes
            .iter()
            .map(|envelope| {
                let body = String::from_utf8_lossy(envelope.body());
                format!("\n  {} {body} to {}", envelope.task(), envelope.queue())
            })
            .collect();
        format!("these were:{}", lines.concat())
    }
}

impl Backend for Recording {
    fn enqueue<'a>(&'a self, runtime: &'a Runtime, envelope: Envelope) -> BackendFuture<'a> {
        Box::pin(async move {
            let mut tasks = lock(&self.tasks);
            let id = envelope.id.clone().unwrap_or_else(names::random_task_id);
            let now = runtime.inner().clock.now();
            let duplicate = envelope.id.is_some() && !tasks.taken.take(envelope.queue(), &id, now);
            let mut enqueued = Enqueued::new(envelope.queue(), id.as_str()).with_duplicate(duplicate);
            enqueued.schedule_time = envelope.schedule_time;
            if !duplicate {
                tasks.waiting.push_back((id, Waiting::Task(envelope)));
            }
            Ok(enqueued)
        })
    }

    fn publish<'a>(&'a self, _runtime: &'a Runtime, publication: Publication) -> BackendFuture<'a, String> {
        Box::pin(async move {
            let id = names::random_task_id();
            let waiting = (id.clone(), Waiting::Message(publication));
            lock(&self.tasks).waiting.push_back(waiting);
            Ok(id)
        })
    }
}

fn lock(tasks: &Mutex<Tasks>) -> MutexGuard<'_, Tasks> {
    tasks.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("envelopes", &self.envelopes())
            .finish_non_exhaustive()
    }
}
