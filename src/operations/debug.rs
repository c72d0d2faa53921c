//! Running a task that waits in a queue, here.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::json;
use crate::metadata::TaskMetadata;
use crate::queued::QueuedTask;
use crate::registry::{Bound, BoxFuture, Failure, Handler, Input};
use crate::runtime::Runtime;
use crate::task::Task;

/// Runs a task by the name that it travels under; the JSON of its output.
pub(super) async fn run(runtime: &Runtime, task: QueuedTask) -> Result<Value, Error> {
    let name = task.task().ok_or_else(|| foreign(&task))?.to_owned();
    let entry = runtime.entry(&name)?;
    let (name, bound) = (entry.registration.name, entry.bound(&name)?);
    let metadata = metadata(runtime, &task);
    let input = Input::Body(task.body.unwrap_or_default());
    let output = runtime.run(entry, bound, input, metadata).await;
    let output = output.map_err(|failure| failure.into_error(name))?;
    serde_json::from_slice(&output).map_err(|error| Failure::Output(error).into_error(name))
}

/// Runs a task of a type that is known, for its output as it is.
pub(super) async fn run_typed<T: Task>(runtime: &Runtime, task: QueuedTask) -> Result<T::Output, Error> {
    let name = T::REGISTRATION.name;
    let is_its = task
        .task()
        .is_some_and(|found| found == name || T::REGISTRATION.aliases.contains(&found));
    if !is_its {
        return Err(foreign(&task));
    }
    let (entry, state) = runtime.task_of::<T>()?;
    let output = Arc::default();
    let handler = Keeps::<T> {
        state: Arc::clone(&state),
        output: Arc::clone(&output),
    };
    let bound = Bound {
        handler: Arc::new(handler),
        state,
    };
    let metadata = metadata(runtime, &task);
    let input = Input::Body(task.body.unwrap_or_default());
    let ran = runtime.run(&entry, &bound, input, metadata).await;
    ran.map_err(|failure| failure.into_error(name))?;
    let output: Option<T::Output> = output.lock().unwrap_or_else(PoisonError::into_inner).take();
    output.ok_or_else(|| Error::new(ErrorKind::TaskFailed, format!("task {name} left no output")))
}

/// Runs a task as its own handler does, and keeps the output that this would encode.
struct Keeps<T: Task> {
    state: Arc<T::State>,
    output: Arc<Mutex<Option<T::Output>>>,
}

impl<T: Task> Handler for Keeps<T> {
    fn call(&self, input: Input, metadata: TaskMetadata) -> BoxFuture<'_, Result<Vec<u8>, Failure>> {
        Box::pin(async move {
            let Input::Body(body) = input else {
                return Err(Failure::Decode("a task takes no messages".into()));
            };
            let task: T = json::decode(&body).map_err(Failure::Decode)?;
            let cx = Context::new(Arc::clone(&self.state), metadata);
            let output = task.run(cx).await.map_err(Failure::Task)?;
            *self.output.lock().unwrap_or_else(PoisonError::into_inner) = Some(output);
            Ok(Vec::new())
        })
    }
}

/// What the next attempt would be told, and how many there are, where the task or the queue's settings say it.
fn metadata(runtime: &Runtime, task: &QueuedTask) -> TaskMetadata {
    let metadata = task.metadata();
    match max_attempts(runtime, &task.queue).filter(|_| metadata.max_attempts().is_none()) {
        Some(attempts) => metadata.with_max_attempts(attempts),
        None => metadata,
    }
}

#[cfg(feature = "google")]
fn max_attempts(runtime: &Runtime, queue: &str) -> Option<u32> {
    let settings = &runtime.inner().queues;
    let settings = settings.iter().find(|settings| settings.name == queue)?;
    u32::try_from(settings.max_attempts?).ok()
}

#[cfg(not(feature = "google"))]
fn max_attempts(_runtime: &Runtime, _queue: &str) -> Option<u32> {
    None
}

fn foreign(task: &QueuedTask) -> Error {
    let message = format!(
        "task {} of queue {} did not run here: it goes to {:?}, which is another task's URL",
        task.id, task.queue, task.url
    );
    Error::new(ErrorKind::NotQueued, message)
}
