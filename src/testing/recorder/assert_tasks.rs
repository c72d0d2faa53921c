//! Checks of what was enqueued.

use super::Recorder;
use super::display;
use super::state::Record;
use crate::base::Envelope;
use crate::task::Task;

impl Recorder {
    /// Checks that a task was enqueued that fits and has not run.
    ///
    /// What goes with a task, such as its queue and its time, is told by [`find`](Self::find).
    ///
    /// # Panics
    ///
    /// When there is none; the message shows what was enqueued.
    #[track_caller]
    pub fn assert_enqueued<T: Task>(&self, fits: impl Fn(&T) -> bool) {
        assert!(
            self.enqueued::<T>().iter().any(fits),
            "no {} that fits was enqueued; {}",
            T::__REGISTRATION.name,
            self.tasks_shown(Some(T::__REGISTRATION.name))
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
            T::__REGISTRATION.name,
            self.tasks_shown(Some(T::__REGISTRATION.name))
        );
    }

    /// Checks how many tasks of a type were enqueued and have not run.
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
    /// recorder.assert_enqueued_count::<Charge>(0);
    /// Charge { invoice: 7 }.asap().on(&runtime).await?;
    /// recorder.assert_enqueued_count::<Charge>(1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// When there are more or fewer; the message shows what was enqueued.
    #[track_caller]
    pub fn assert_enqueued_count<T: Task>(&self, expected: usize) {
        let name = T::__REGISTRATION.name;
        let found = self.enqueued::<T>().len();
        assert!(
            found == expected,
            "{found} {name} were enqueued, not {expected}; {}",
            self.tasks_shown(Some(name))
        );
    }

    /// Checks that no task was enqueued that has not run, publishers' tasks included.
    ///
    /// # Panics
    ///
    /// When there is one; the message shows what was enqueued.
    #[track_caller]
    pub fn assert_nothing_enqueued(&self) {
        assert!(
            self.envelopes().is_empty(),
            "something was enqueued; {}",
            self.tasks_shown(None)
        );
    }

    /// The tasks that wait, one a line, those of this name first.
    fn tasks_shown(&self, first: Option<&str>) -> String {
        let now = self.now();
        let tasks = self.shared.tasks();
        let (mut wanted, others): (Vec<_>, Vec<_>) = tasks
            .waiting
            .iter()
            .filter(|record| record.envelope().is_some())
            .partition(|record| is_named(record, first));
        wanted.extend(others);
        match display::list("these were", wanted, now) {
            nothing if nothing.is_empty() => "nothing was".to_owned(),
            shown => shown,
        }
    }
}

fn is_named(record: &Record, name: Option<&str>) -> bool {
    record.envelope().map(Envelope::task) == name
}
