//! Nothing runs: what was asked for is kept, to be looked at and to be run when a test says so.

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
use crate::base::{Clock, Envelope, Publication};
use crate::runtime::Runtime;
use crate::task::Task;

use backend::Recording;
pub use build::Recorded;
pub use drain::Drain;
pub use record::RecordedTask;
use state::{Record, Shared};

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
///
/// # The clock
///
/// A recorder has a clock of its own, which its runtime goes by. It is the machine's until a test moves or
/// [sets](crate::runtime::RuntimeBuilder::starting_at) it; from then on it stands still between moves.
///
/// ```standalone_crate
/// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// use std::time::Duration;
/// # #[derive(Debug, Serialize, Deserialize)]
/// # struct Remind { user_id: u64 }
/// # #[task]
/// # impl Task for Remind {
/// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// Remind { user_id: 7 }.later(Duration::from_secs(60)).on(&runtime).await?;
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
    /// A recorder whose clock begins at this time, or is the machine's.
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

    /// Lets draining by the clock run the schedules too, from now on.
    fn run_schedules(&self, runtime: &Runtime) {
        let now = self.now();
        let due = runtime
            .schedules()
            .iter()
            .map(|schedule| schedule.next_after(now));
        self.shared.tasks().schedules = due.collect();
    }

    /// Everything that was enqueued and has not run, in that order.
    pub fn envelopes(&self) -> Vec<Envelope> {
        let tasks = self.shared.tasks();
        tasks
            .waiting
            .iter()
            .filter_map(Record::envelope)
            .cloned()
            .collect()
    }

    /// Every message that was published and not delivered, in that order.
    pub fn publications(&self) -> Vec<Publication> {
        let tasks = self.shared.tasks();
        tasks
            .waiting
            .iter()
            .filter_map(Record::publication)
            .cloned()
            .collect()
    }

    /// Every message that was published and delivered, in that order.
    ///
    /// ```standalone_crate
    /// # use cloud_tasks::{PublisherTask, Runtime, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct OrderPaid { order_id: u64 }
    /// # #[task]
    /// # impl PublisherTask for OrderPaid {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, recorder) = Runtime::recorded().build().await?;
    /// OrderPaid { order_id: 7 }.sync().on(&runtime).await?;
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

    /// The tasks of one type that were enqueued and have not run, in that order.
    ///
    /// # Panics
    ///
    /// When one does not decode: the type does not read what it writes.
    #[track_caller]
    pub fn enqueued<T: Task>(&self) -> Vec<T> {
        self.find::<T>().into_iter().map(|found| found.task).collect()
    }

    /// The same with all that goes with each: queue, id, times, headers.
    ///
    /// ```standalone_crate
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// use std::time::{Duration, SystemTime};
    /// # #[derive(Debug, Serialize, Deserialize)]
    /// # struct Remind { user_id: u64 }
    /// # #[task]
    /// # impl Task for Remind {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    /// let (runtime, recorder) = Runtime::recorded().starting_at(noon).build().await?;
    /// Remind { user_id: 7 }.later(Duration::from_secs(60)).queue("slow").on(&runtime).await?;
    /// let found = recorder.find::<Remind>();
    /// assert_eq!((found[0].task.user_id, found[0].queue()), (7, "slow"));
    /// assert_eq!(found[0].schedule_time(), Some(noon + Duration::from_secs(60)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// When one does not decode: the type does not read what it writes.
    #[track_caller]
    pub fn find<T: Task>(&self) -> Vec<RecordedTask<T>> {
        let waiting = self.shared.tasks().waiting.clone();
        waiting.iter().filter_map(RecordedTask::read).collect()
    }

    /// The tasks of one type that ran, whatever came of it: each attempt of each, in the order in which they began.
    ///
    /// # Panics
    ///
    /// When one does not decode: the type does not read what it writes.
    #[track_caller]
    pub fn ran<T: Task>(&self) -> Vec<RecordedTask<T>> {
        let done = self.shared.tasks().done.clone();
        done.iter().filter_map(RecordedTask::read).collect()
    }

    /// Forgets everything that waits and that ran; ids that callers gave stay taken, as they would at Google.
    ///
    /// ```standalone_crate
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Debug, Serialize, Deserialize)]
    /// # struct Charge { invoice: u64 }
    /// # #[task]
    /// # impl Task for Charge {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, recorder) = Runtime::recorded().build().await?;
    /// Charge { invoice: 7 }.asap().on(&runtime).await?;
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

    /// What time it is for the runtime.
    pub fn now(&self) -> SystemTime {
        self.shared.time.now()
    }

    /// Moves the clock forward by this long; nothing runs by that alone.
    pub fn advance(&self, by: Duration) {
        self.shared.time.advance(by);
    }

    /// Moves the clock forward to this time; nothing runs by that alone.
    ///
    /// # Panics
    ///
    /// When it is later than that already.
    #[track_caller]
    pub fn advance_to(&self, time: SystemTime) {
        if let Err(now) = self.shared.time.advance_to(time) {
            let ahead = humantime::format_duration(now.duration_since(time).unwrap_or_default());
            panic!("the clock does not go back: it is {ahead} later than that already");
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
