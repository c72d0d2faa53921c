//! Assertions on enqueued tasks.

use super::Recorder;
use super::display;
use super::state::Record;
use crate::base::Envelope;
use crate::task::Task;

impl Recorder {
    /// Asserts that a matching task was enqueued and has not run.
    ///
    /// To inspect its queue, time and headers, use [`find`](Self::find).
    ///
    /// # Panics
    ///
    /// If there is none; the message lists what was enqueued.
    #[track_caller]
    pub fn assert_enqueued<T: Task>(&self, fits: impl Fn(&T) -> bool) {
        assert!(
            self.enqueued::<T>().iter().any(fits),
            "no matching {} was enqueued; {}",
            T::__REGISTRATION.declared().name,
            self.list_tasks(Some(T::__REGISTRATION.declared().name))
        );
    }

    /// Asserts that no matching task was enqueued, except ones that have run.
    ///
    /// # Panics
    ///
    /// If there is one; the message lists what was enqueued.
    #[track_caller]
    pub fn refute_enqueued<T: Task>(&self, fits: impl Fn(&T) -> bool) {
        assert!(
            !self.enqueued::<T>().iter().any(fits),
            "a matching {} was enqueued; {}",
            T::__REGISTRATION.declared().name,
            self.list_tasks(Some(T::__REGISTRATION.declared().name))
        );
    }

    /// Asserts the number of tasks of a type that were enqueued and have not run.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Debug, Serialize, Deserialize)]
    /// # struct ChargeStorage { invoice: u64 }
    /// # #[task]
    /// # impl Task for ChargeStorage {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, recorder) = Runtime::recorded().build().await?;
    /// recorder.assert_enqueued_count::<ChargeStorage>(0);
    /// ChargeStorage { invoice: 7 }.asap().on(&runtime).await?;
    /// recorder.assert_enqueued_count::<ChargeStorage>(1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the number differs; the message lists what was enqueued.
    #[track_caller]
    pub fn assert_enqueued_count<T: Task>(&self, expected: usize) {
        let name = T::__REGISTRATION.declared().name;
        let found = self.enqueued::<T>().len();
        assert!(
            found == expected,
            "{found} {name} were enqueued, not {expected}; {}",
            self.list_tasks(Some(name))
        );
    }

    /// Asserts that no tasks are waiting to run, including publishers' tasks.
    ///
    /// # Panics
    ///
    /// If there is one; the message lists what was enqueued.
    #[track_caller]
    pub fn assert_nothing_enqueued(&self) {
        assert!(
            self.envelopes().is_empty(),
            "something was enqueued; {}",
            self.list_tasks(None)
        );
    }

    /// The waiting tasks, one per line, with those of this name first.
    fn list_tasks(&self, first: Option<&str>) -> String {
        let now = self.now();
        let tasks = self.shared.tasks();
        let (mut expected, others): (Vec<_>, Vec<_>) = tasks
            .waiting
            .iter()
            .filter(|record| record.envelope().is_some())
            .partition(|record| is_named(record, first));
        expected.extend(others);
        match display::list("these were", expected, now) {
            nothing if nothing.is_empty() => "nothing was".to_owned(),
            text => text,
        }
    }
}

fn is_named(record: &Record, name: Option<&str>) -> bool {
    record.envelope().map(Envelope::task) == name
}
