//! Running a task of a queue in this process.

use serde_json::Value;

use crate::base::{Error, ErrorKind, QueuedTask};
use crate::registry::{AttemptError, TaskInput};
use crate::runtime::{Attempt, Capture, Runtime};
use crate::task::{self, Task};

/// Runs a task by its name, and returns the JSON of its output.
pub(super) async fn run(runtime: &Runtime, task: QueuedTask) -> Result<Value, Error> {
    let name = task.task().ok_or_else(|| foreign(&task))?.to_owned();
    let entry = runtime.entry(&name)?;
    let (name, bound) = (entry.registration.name, entry.bound(&name)?);
    let metadata = task.metadata();
    let input = TaskInput::Body(task.body.unwrap_or_default());
    let output = runtime
        .run(entry, bound, input, metadata, Attempt::Detached)
        .await;
    let output = output.map_err(|failure| failure.into_error(name))?;
    serde_json::from_slice(&output).map_err(|error| AttemptError::Output(error).into_error(name))
}

/// Runs a task of a known type, and returns its output.
pub(super) async fn run_typed<T: Task>(runtime: &Runtime, task: QueuedTask) -> Result<T::Output, Error> {
    let name = T::__REGISTRATION.name;
    let is_its = task
        .task()
        .is_some_and(|found| found == name || T::__REGISTRATION.aliases.contains(&found));
    if !is_its {
        return Err(foreign(&task));
    }
    let entry = runtime.entry_of::<T>()?;
    let (bound, kept) = Capture::bind::<T>(runtime, |state, input, metadata| {
        Box::pin(task::run_input::<T>(state, input, metadata))
    })?;
    let metadata = task.metadata();
    let input = TaskInput::Body(task.body.unwrap_or_default());
    let ran = runtime
        .run(entry, &bound, input, metadata, Attempt::Detached)
        .await;
    ran.map_err(|failure| failure.into_error(name))?;
    kept.take().ok_or_else(|| {
        let message = format!("task {name} did not run here: it is idempotent and has run before");
        Error::new(ErrorKind::TaskFailed, message)
    })
}

fn foreign(task: &QueuedTask) -> Error {
    let message = format!(
        "task {} of queue {} did not run here: it goes to {:?}, which is another task's URL",
        task.id, task.queue, task.url
    );
    Error::new(ErrorKind::NotQueued, message)
}
