//! Running a task of a queue in this process.

use serde_json::Value;

use crate::admin::queue::selection::Selection;
use crate::base::{Error, ErrorKind, QueuedTask};
use crate::registry::{AttemptError, Declared, TaskInput};
use crate::runtime::{Attempt, Capture, Runtime};
use crate::task::{self, Task};

/// Whose tasks are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Those that are sent to this service, by the URL.
    This,
    /// Those of any service, if a task has the name at the end of the URL.
    Any,
}

impl Service {
    fn includes(self, runtime: &Runtime, registration: &Declared, task: &QueuedTask) -> bool {
        let own = || {
            Selection::default()
                .of(registration, runtime.config())
                .matches(task)
        };
        self == Self::Any || own()
    }
}

/// Runs a task by its name, and returns the JSON of its output.
pub(super) async fn run(runtime: &Runtime, task: QueuedTask, of: Service) -> Result<Value, Error> {
    let name = task.task().ok_or_else(|| foreign(&task))?.to_owned();
    let entry = runtime.entry(&name)?;
    if !of.includes(runtime, &entry.registration, &task) {
        return Err(elsewhere(&task));
    }
    let (name, bound) = (entry.registration.name, entry.bound(&name)?);
    let metadata = task.metadata();
    let input = TaskInput::Body(task.into_body());
    let output = runtime
        .run(entry, bound, input, metadata, Attempt::Detached)
        .await;
    let output = output.map_err(|failure| failure.into_error(name))?;
    serde_json::from_slice(&output).map_err(|error| AttemptError::Output(error).into_error(name))
}

/// Runs a task of a known type, and returns its output.
pub(super) async fn run_typed<T: Task>(
    runtime: &Runtime,
    task: QueuedTask,
    of: Service,
) -> Result<T::Output, Error> {
    let name = T::__REGISTRATION.declared().name;
    let is_its = task
        .task()
        .is_some_and(|found| found == name || T::__REGISTRATION.declared().aliases.contains(&found));
    if !is_its {
        return Err(foreign(&task));
    }
    if !of.includes(runtime, T::__REGISTRATION.declared(), &task) {
        return Err(elsewhere(&task));
    }
    let entry = runtime.entry_of::<T>()?;
    let (bound, captured) = Capture::bind::<T>(runtime, |state, input, metadata| {
        Box::pin(task::run_input::<T>(state, input, metadata))
    })?;
    let metadata = task.metadata();
    let input = TaskInput::Body(task.into_body());
    let ran = runtime
        .run(entry, &bound, input, metadata, Attempt::Detached)
        .await;
    ran.map_err(|failure| failure.into_error(name))?;
    captured.take().ok_or_else(|| {
        let message = format!("task {name} did not run here");
        Error::new(ErrorKind::TaskFailed, message)
    })
}

/// Another service's task of a name that this one has too.
fn elsewhere(task: &QueuedTask) -> Error {
    let message = format!(
        "task {} of queue {} did not run here: it goes to {:?}, which is another service's URL; `run_here_of_any_service` \
         (`tasks run-here --any-service`) runs it anyway",
        task.id(),
        task.queue(),
        task.url()
    );
    Error::new(ErrorKind::NotQueued, message)
}

fn foreign(task: &QueuedTask) -> Error {
    let message = format!(
        "task {} of queue {} did not run here: it goes to {:?}, which is another task's URL",
        task.id(),
        task.queue(),
        task.url()
    );
    Error::new(ErrorKind::NotQueued, message)
}
