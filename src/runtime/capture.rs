//! Running a task and keeping its typed output, not only its JSON.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;

use crate::base::{BoxFuture, Dead, Error, ErrorKind, TaskError, TaskMetadata};
use crate::registry::{AttemptError, BoundTask, Handler, Registered, RegisteredHandler, TaskInput};
use crate::runtime::Runtime;

impl Runtime {
    /// The entry of a task or a subscriber.
    pub(crate) fn entry_of<T: Registered + 'static>(&self) -> Result<&Arc<RegisteredHandler>, Error> {
        let entry = self.registry().by_type((T::__REGISTRATION.declared().type_id)());
        entry.ok_or_else(|| {
            let name = T::__REGISTRATION.declared().name;
            Error::new(
                ErrorKind::UnknownTask,
                format!("this runtime has no task {name:?}: add `.register::<..>()`"),
            )
        })
    }

    /// The state of a task or a subscriber.
    pub(crate) fn state_of<T: Registered + 'static, S: Send + Sync + 'static>(
        &self,
    ) -> Result<Arc<S>, Error> {
        let name = T::__REGISTRATION.declared().name;
        let state = Arc::clone(&self.entry_of::<T>()?.bound(name)?.state);
        state.downcast().map_err(|_| {
            Error::new(
                ErrorKind::MissingState,
                format!("the state of task {name} has another type"),
            )
        })
    }
}

type Run<S, O> = fn(Arc<S>, TaskInput, TaskMetadata) -> BoxFuture<'static, Result<O, AttemptError>>;

/// A handler that keeps the output before it becomes JSON, and otherwise acts like the task's own.
pub(crate) struct Capture<S, O> {
    state: Arc<S>,
    run: Run<S, O>,
    own: Arc<dyn Handler>,
    output: Output<O>,
}

type Output<O> = Arc<Mutex<Option<O>>>;

/// The captured output of a task.
pub(crate) struct Captured<O>(Output<O>);

impl<O> Captured<O> {
    /// The output; `None` if the task returned none or did not run.
    pub fn take(&self) -> Option<O> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<S: Send + Sync + 'static, O: Serialize + Send + 'static> Capture<S, O> {
    /// A task that this function runs, and its captured output.
    pub fn bind<T: Registered + 'static>(
        runtime: &Runtime,
        run: Run<S, O>,
    ) -> Result<(BoundTask, Captured<O>), Error> {
        let state = runtime.state_of::<T, S>()?;
        let own = &runtime
            .entry_of::<T>()?
            .bound(T::__REGISTRATION.declared().name)?
            .handler;
        let output = Output::default();
        let handler = Self {
            state: Arc::clone(&state),
            run,
            own: Arc::clone(own),
            output: Arc::clone(&output),
        };
        let bound = BoundTask {
            handler: Arc::new(handler),
            state,
        };
        Ok((bound, Captured(output)))
    }
}

impl<S: Send + Sync + 'static, O: Serialize + Send + 'static> Handler for Capture<S, O> {
    fn call(
        self: Arc<Self>,
        input: TaskInput,
        metadata: TaskMetadata,
    ) -> BoxFuture<'static, Result<Vec<u8>, AttemptError>> {
        Box::pin(async move {
            let output = (self.run)(Arc::clone(&self.state), input, metadata).await?;
            let json = serde_json::to_vec(&output).map_err(AttemptError::Output)?;
            *self.output.lock().unwrap_or_else(PoisonError::into_inner) = Some(output);
            Ok(json)
        })
    }

    fn on_dead(
        &self,
        body: Bytes,
        dead: Dead,
        metadata: TaskMetadata,
    ) -> BoxFuture<'_, Result<(), TaskError>> {
        self.own.on_dead(body, dead, metadata)
    }
}
