//! The uniqueness options of a call.

use std::time::Duration;

use serde::Serialize;

use crate::base::{Error, ErrorKind};
use crate::registry::Registered;
use crate::registry::unique::id::Uniqueness;
use crate::registry::unique::validate_window;
use crate::runtime::not_enqueued;
use crate::task::enqueue::Enqueue;

impl Enqueue {
    /// Sets the unique key: a second task of this type with the same key is a
    /// [duplicate](crate::task::Enqueued::duplicate) and is not created.
    ///
    /// The key is any value that serializes to JSON; the id is a hash of the task's name and the key. It replaces the
    /// uniqueness options of the type, including the window; a [`task_id`](Self::task_id) overrides it. The [uniqueness
    /// guide](crate::guide::uniqueness) says how long an id stays blocked.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct ChargeLicense { invoice: u64, at: u64 }
    /// # #[task]
    /// # impl Task for ChargeLicense {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, recorder) = Runtime::recorded().build().await?;
    /// let charge = |at| ChargeLicense { invoice: 7, at }.asap().unique_key(("invoice", 7)).on(&runtime);
    /// assert!(!charge(1).await?.duplicate());
    /// assert!(charge(2).await?.duplicate());
    /// assert_eq!(recorder.envelopes().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn unique_key(mut self, key: impl Serialize) -> Self {
        let task = self.request.task();
        if let Err(error) = self.request.uniqueness().set_key(&key) {
            self.request.refuse(key_error(task, error));
        }
        self
    }

    /// Makes the task unique within a time window: one task per `window`, counted from 1970.
    ///
    /// Tasks are compared by the [key](Self::unique_key) of the call, otherwise as the type says, otherwise by their
    /// arguments. The window is that of the moment when this is awaited, whenever the task runs.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct ReindexShop { shop: u64 }
    /// # #[task]
    /// # impl Task for ReindexShop {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// # let (runtime, _recorder) = Runtime::recorded().build().await?;
    /// let day = Duration::from_secs(24 * 60 * 60);
    /// let enqueued = ReindexShop { shop: 7 }.asap().unique_for(day).on(&runtime).await?;
    /// assert_eq!(enqueued.id().len(), 43);
    /// # Ok(())
    /// # }
    /// ```
    pub fn unique_for(mut self, window: Duration) -> Self {
        let task = self.request.task();
        match validate_window(window) {
            Ok(()) => self.request.uniqueness().set_window(window),
            Err(error) => self.request.refuse(not_enqueued(task, &error)),
        }
        self
    }
}

/// The uniqueness of a task, if its type has any.
pub(crate) fn unique_of<T: Registered>(task: &T) -> Result<Option<Box<Uniqueness>>, Error> {
    let Some(options) = T::__REGISTRATION.declared().unique else {
        return Ok(None);
    };
    let mut unique = Uniqueness::of_type(options);
    unique
        .by_fields(options, |fields| task.__unique_fields(fields))
        .map_err(|error| key_error(T::__REGISTRATION.declared().name, error))?;
    Ok(Some(Box::new(unique)))
}

fn key_error(task: &str, error: serde_json::Error) -> Error {
    Error::new(
        ErrorKind::Encode,
        format!("what makes task {task} unique does not serialize to JSON"),
    )
    .with_source(error)
}
