//! The recorder: records what is enqueued, for assertions and for running it later.

mod assert_events;
mod assert_tasks;
mod backend;
mod build;
mod clock;
mod display;
mod drain;
mod inline;
mod queue_admin;
mod record;
mod state;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::backend::Link;
use crate::base::time::words;
use crate::base::{Clock, Envelope, Publication};
use crate::runtime::Runtime;
use crate::task::Task;

use backend::Recording;
pub use build::Recorded;
pub use drain::Drain;
pub use record::RecordedTask;
use state::{Record, Shared};

/// A record of what a runtime built by [`Runtime::recorded`] was asked to do.
///
/// ```
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
///
/// # The clock
///
/// A recorder has its own clock, which its runtime uses. It follows the system's until a test moves or
/// [sets](crate::runtime::RuntimeBuilder::starting_at) it; from then on it stands still between moves.
///
/// ```
/// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// use std::time::Duration;
/// # #[derive(Debug, Serialize, Deserialize)]
/// # struct RemindStudent { user_id: u64 }
/// # #[task]
/// # impl Task for RemindStudent {
/// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// RemindStudent { user_id: 7 }.later(Duration::from_secs(60)).on(&runtime).await?;
/// assert_eq!(recorder.drain_due().await?, 0);
/// recorder.advance(Duration::from_secs(60));
/// assert_eq!(recorder.drain_due().await?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

impl Recorder {
    /// A recorder whose clock starts at this time, or follows the system's.
    fn new(start: Option<SystemTime>) -> Self {
        Self {
            shared: Arc::new(Shared::new(start)),
            runtime: None,
        }
    }

    fn backend(&self, runtime: Link) -> Recording {
        Recording::new(Arc::clone(&self.shared), runtime)
    }

    fn clock(&self) -> Clock {
        let shared = Arc::clone(&self.shared);
        Clock::new(move || shared.time.now())
    }

    fn with_runtime(mut self, runtime: Runtime) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Also runs the schedules when the recorder is drained by the clock.
    fn run_schedules(&self, runtime: &Runtime) {
        let now = self.now();
        let due = runtime
            .schedules()
            .iter()
            .map(|schedule| schedule.next_after(now));
        self.shared.tasks().schedules = due.collect();
    }

    /// Returns everything that was enqueued and has not run, in the order it was enqueued.
    pub fn envelopes(&self) -> Vec<Envelope> {
        let tasks = self.shared.tasks();
        tasks
            .waiting
            .iter()
            .filter_map(Record::envelope)
            .cloned()
            .collect()
    }

    /// Returns every message that was published and not delivered, in the order it was published.
    pub fn publications(&self) -> Vec<Publication> {
        let tasks = self.shared.tasks();
        tasks
            .waiting
            .iter()
            .filter_map(Record::publication)
            .cloned()
            .collect()
    }

    /// Returns every message that was published and delivered, in the order it was published.
    ///
    /// ```
    /// # use cloud_tasks::{PublisherTask, Runtime, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct CoursePaid { order_id: u64 }
    /// # #[task]
    /// # impl PublisherTask for CoursePaid {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, recorder) = Runtime::recorded().build().await?;
    /// CoursePaid { order_id: 7 }.sync().on(&runtime).await?;
    /// recorder.drain().await?;
    /// assert_eq!((recorder.publications().len(), recorder.delivered().len()), (0, 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn delivered(&self) -> Vec<Publication> {
        let tasks = self.shared.tasks();
        tasks
            .done
            .iter()
            .filter_map(Record::publication)
            .cloned()
            .collect()
    }

    /// Returns the tasks of one type that were enqueued and have not run, in the order they were enqueued.
    ///
    /// # Panics
    ///
    /// If one does not decode: the type does not deserialize what it serializes.
    #[track_caller]
    pub fn enqueued<T: Task>(&self) -> Vec<T> {
        self.find::<T>().into_iter().map(|found| found.task).collect()
    }

    /// Returns the tasks of one type that were enqueued and have not run, with their queues, ids, times and headers.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// use std::time::{Duration, SystemTime};
    /// # #[derive(Debug, Serialize, Deserialize)]
    /// # struct RemindTeacher { user_id: u64 }
    /// # #[task]
    /// # impl Task for RemindTeacher {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    /// let (runtime, recorder) = Runtime::recorded().starting_at(noon).build().await?;
    /// RemindTeacher { user_id: 7 }.later(Duration::from_secs(60)).queue("slow").on(&runtime).await?;
    /// let found = recorder.find::<RemindTeacher>();
    /// assert_eq!((found[0].task.user_id, found[0].queue()), (7, "slow"));
    /// assert_eq!(found[0].schedule_time(), Some(noon + Duration::from_secs(60)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If one does not decode: the type does not deserialize what it serializes.
    #[track_caller]
    pub fn find<T: Task>(&self) -> Vec<RecordedTask<T>> {
        let waiting = self.shared.tasks().waiting.clone();
        waiting.iter().filter_map(RecordedTask::read).collect()
    }

    /// Returns the runs of one type, whatever their outcome: each attempt of each task, in the order they began.
    ///
    /// # Panics
    ///
    /// If one does not decode: the type does not deserialize what it serializes.
    #[track_caller]
    pub fn ran<T: Task>(&self) -> Vec<RecordedTask<T>> {
        let done = self.shared.tasks().done.clone();
        done.iter().filter_map(RecordedTask::read).collect()
    }

    /// Removes everything that waits or has run. Ids that callers chose stay in use, as on Google Cloud.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Debug, Serialize, Deserialize)]
    /// # struct ChargeSchool { invoice: u64 }
    /// # #[task]
    /// # impl Task for ChargeSchool {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, recorder) = Runtime::recorded().build().await?;
    /// ChargeSchool { invoice: 7 }.asap().on(&runtime).await?;
    /// recorder.clear();
    /// recorder.assert_nothing_enqueued();
    /// # Ok(())
    /// # }
    /// ```
    pub fn clear(&self) {
        let mut tasks = self.shared.tasks();
        tasks.waiting.clear();
        tasks.done.clear();
    }

    /// The runtime's current time.
    pub fn now(&self) -> SystemTime {
        self.shared.time.now()
    }

    /// Advances the clock by this duration. This alone runs nothing.
    pub fn advance(&self, by: Duration) {
        self.shared.time.advance(by);
    }

    /// Advances the clock to this time. This alone runs nothing.
    ///
    /// # Panics
    ///
    /// If the clock is already past this time.
    #[track_caller]
    pub fn advance_to(&self, time: SystemTime) {
        if let Err(now) = self.shared.time.advance_to(time) {
            let ahead = words(now.duration_since(time).unwrap_or_default());
            panic!("the clock cannot go back: it is already {ahead} later");
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("envelopes", &self.envelopes())
            .finish_non_exhaustive()
    }
}
