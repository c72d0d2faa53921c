//! Enqueueing a task by its name.

use serde::Serialize;

use crate::base::{Error, ErrorKind, text::excerpt};
use crate::runtime::{Runtime, encode_error, not_enqueued};
use crate::task::enqueue::Enqueue;

impl Runtime {
    /// Enqueues a task by its name or one of its aliases, for names that are data: rules in a database, a command line.
    ///
    /// The arguments are decoded first, so that wrong ones are refused at once and not in every attempt. They travel as
    /// the type encodes them, and options such as `unique` apply. The name of a publisher works as well: the arguments are
    /// then the event. [`TaskName`](crate::task::TaskName) holds only names of tasks that exist.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # use serde_json::json;
    /// #[derive(Serialize, Deserialize)]
    /// struct ArchiveOrder { order: u64 }
    ///
    /// #[task]
    /// impl Task for ArchiveOrder {
    ///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, recorder) = Runtime::recorded().build().await?;
    /// runtime.enqueue_named("ArchiveOrder", json!({"order": 7}))?.queue("slow").await?;
    /// recorder.assert_enqueued::<ArchiveOrder>(|task| task.order == 7);
    ///
    /// let error = runtime.enqueue_named("ArchiveOrder", json!({"order": "seven"})).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "task ArchiveOrder was not enqueued: its arguments do not decode: order: invalid type: string, expected u64 at line \
    ///      1 column 16",
    /// );
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If no task has the name, if it is the name of a subscriber, or if the arguments do not decode. Nothing was enqueued.
    pub fn enqueue_named(&self, name: impl AsRef<str>, arguments: impl Serialize) -> Result<Enqueue, Error> {
        let name = name.as_ref();
        let arguments = serde_json::to_vec(&arguments).map_err(|error| encode_error(name, error))?;
        self.enqueue_json(name, &arguments)
    }

    /// Enqueues a task by its name, with the text of its arguments.
    pub(crate) fn enqueue_json(&self, name: &str, arguments: &[u8]) -> Result<Enqueue, Error> {
        let Some(entry) = self.registry().by_name(name) else {
            return Err(Error::new(
                ErrorKind::UnknownTask,
                format!("nothing was enqueued: no task is named {:?}", excerpt(name)),
            ));
        };
        let registration = entry.registration;
        let Some(read) = registration.read_arguments else {
            return Err(not_enqueued(
                registration.name,
                &"it is a subscriber, which gets the messages of a topic; publish the event instead",
            ));
        };
        let arguments = read(arguments).map_err(|reason| {
            not_enqueued(
                registration.name,
                &format_args!("its arguments do not decode: {reason}"),
            )
        })?;
        Ok(Enqueue::new(registration, Ok(arguments.body), arguments.unique).on(self))
    }
}
