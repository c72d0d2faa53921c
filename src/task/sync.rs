//! Running a task in this process.

use std::fmt;
use std::pin::Pin;

use tracing::Instrument;

use crate::base::{Context, Error, TaskMetadata};
use crate::runtime::{Runtime, Scope};
use crate::task::Task;

/// A task to be run in this process; nothing happens until it is awaited.
#[must_use = "nothing runs until this is awaited"]
pub struct RunNow<T> {
    task: T,
    runtime: Option<Runtime>,
}

impl<T: Task> RunNow<T> {
    pub(crate) fn new(task: T) -> Self {
        Self { task, runtime: None }
    }

    /// Uses this runtime instead of the one in scope or installed.
    pub fn on(mut self, runtime: &Runtime) -> Self {
        self.runtime = Some(runtime.clone());
        self
    }

    async fn run(self) -> Result<T::Output, Error> {
        let scope = Scope::of_or_current(self.runtime.as_ref())?;
        let name = T::__REGISTRATION.declared().name;
        let state = scope.runtime.state_of::<T, T::State>()?;
        let span = tracing::info_span!("task", task = name, attempt = 1, sync = true);
        let run = self.task.run(Context::new(state, TaskMetadata::new()));
        scope
            .run(run.instrument(span))
            .await
            .map_err(|error| Error::from_task(name, error))
    }
}

impl<T: Task> IntoFuture for RunNow<T> {
    type Output = Result<T::Output, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<T> fmt::Debug for RunNow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunNow").finish_non_exhaustive()
    }
}
