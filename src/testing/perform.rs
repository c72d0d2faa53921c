//! Running one attempt of a task as the service would.

use std::fmt;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, header};

use super::performed::Performed;
use super::signer::add_header;
use crate::base::{Error, TaskMetadata, json, names, timeout_header};
use crate::registry::TaskInput;
use crate::runtime::{Attempt, Capture, Runtime, encode_error};
use crate::task::{self, Task};

/// One attempt of a task; nothing happens until it is awaited. See [`Runtime::perform`].
#[must_use = "nothing runs until this is awaited"]
pub struct Perform<T> {
    runtime: Runtime,
    task: T,
    metadata: TaskMetadata,
    headers: HeaderMap,
    last: bool,
    error: Option<Error>,
}

impl Runtime {
    /// Runs one attempt of a task as the service would, with the metadata of your choice, and returns the outcome.
    ///
    /// The task goes through JSON, its deadline applies, and its panic is caught. What it enqueues goes to this
    /// runtime's backend. By default it is the first attempt, due now, from the task's queue, with a random id.
    ///
    /// ```
    /// use cloud_tasks::{Context, Discard, Runtime, Task, TaskResult, task};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct ChargeParking { invoice: u64 }
    ///
    /// #[task(queue = "billing")]
    /// impl Task for ChargeParking {
    ///     async fn run(self, cx: Context) -> TaskResult<String> {
    ///         if cx.metadata().is_last_attempt() {
    ///             Err(Discard::new("handed to a person"))?;
    ///         }
    ///         Ok(format!("attempt {} from {:?}", cx.metadata().attempt(), cx.metadata().queue()))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, _recorder) = Runtime::recorded().build().await?;
    /// let performed = runtime.perform(ChargeParking { invoice: 7 }).attempt(2).await?;
    /// assert_eq!(performed.assert_done(), r#"attempt 2 from Some("billing")"#);
    /// let performed = runtime.perform(ChargeParking { invoice: 7 }).attempt(3).last_attempt().await?;
    /// assert_eq!(performed.assert_discarded().reason(), "handed to a person");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The await fails if the runtime lacks the task or one of its states, if the arguments do not serialize, or if a
    /// header is invalid. Nothing ran.
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn perform<T: Task>(&self, task: T) -> Perform<T> {
        let queue = T::__REGISTRATION
            .declared()
            .queue
            .unwrap_or(self.config().default_queue());
        let metadata = TaskMetadata::new()
            .with_queue(queue)
            .with_id(&names::random_task_id())
            .with_retry_count(0)
            .with_execution_count(0)
            .with_eta(self.now());
        let json = HeaderValue::from_static("application/json");
        Perform {
            runtime: self.clone(),
            task,
            metadata,
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, json)]),
            last: false,
            error: None,
        }
    }
}

impl<T: Task> Perform<T> {
    /// Sets the number of the attempt, starting at 1; zero counts as 1.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.metadata = self.metadata.with_retry_count(attempt.saturating_sub(1));
        self
    }

    /// Makes this the last attempt.
    pub fn last_attempt(mut self) -> Self {
        self.last = true;
        self
    }

    /// Sets the queue.
    pub fn queue(mut self, queue: &str) -> Self {
        self.metadata = self.metadata.with_queue(queue);
        self
    }

    /// Sets the task's id.
    pub fn id(mut self, id: &str) -> Self {
        self.metadata = self.metadata.with_id(id);
        self
    }

    /// Sets when the attempt was due.
    pub fn eta(mut self, eta: SystemTime) -> Self {
        self.metadata = self.metadata.with_eta(eta);
        self
    }

    /// Sets the timeout of the attempt, as a [call](crate::task::Enqueue::timeout) can.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.headers.extend([timeout_header(timeout)]);
        self
    }

    /// Adds a header to the request.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Err(error) = add_header(&mut self.headers, name, value) {
            self.error.get_or_insert(error);
        }
        self
    }

    async fn run(self) -> Result<Performed<T::Output>, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let body = json::encode(&self.task)
            .map_err(|error| encode_error(T::__REGISTRATION.declared().name, error))?;
        let mut metadata = self.metadata.with_headers(self.headers);
        if self.last {
            let attempt = metadata.attempt();
            metadata = metadata.with_max_attempts(attempt);
        }
        let entry = self.runtime.entry_of::<T>()?;
        let (bound, captured) = Capture::bind::<T>(&self.runtime, |state, input, metadata| {
            Box::pin(task::run_input::<T>(state, input, metadata))
        })?;
        let ran = self.runtime.run(
            entry,
            &bound,
            TaskInput::Body(body),
            metadata,
            Attempt::of_queue(),
        );
        Ok(Performed::of_run(ran.await, captured.take()))
    }
}

impl<T: Task> IntoFuture for Perform<T> {
    type Output = Result<Performed<T::Output>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<T> fmt::Debug for Perform<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Perform").finish_non_exhaustive()
    }
}
