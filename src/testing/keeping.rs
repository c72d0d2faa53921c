//! Running a task so that its output is kept as it is, and not as JSON alone.

use std::any::TypeId;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::performed::Performed;
use crate::error::{Error, ErrorKind};
use crate::metadata::TaskMetadata;
use crate::registry::{Bound, BoxFuture, Entry, Failure, Handler, Input};
use crate::runtime::Runtime;
use crate::task::Registered;

/// The entry of a task or a subscriber.
pub(super) fn entry<T: Registered + 'static>(runtime: &Runtime) -> Result<&Arc<Entry>, Error> {
    let name = T::REGISTRATION.name;
    runtime
        .inner()
        .registry
        .by_type(TypeId::of::<T>())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::UnknownTask,
                format!("this runtime has no task {name:?}: add `.register::<..>()`"),
            )
        })
}

pub(super) type Run<S, O> = fn(Arc<S>, Input, TaskMetadata) -> BoxFuture<'static, Result<O, Failure>>;

/// A handler that keeps the output as it was before it became JSON.
pub(super) struct Keeping<S, O> {
    state: Arc<S>,
    run: Run<S, O>,
    output: Arc<Mutex<Option<O>>>,
}

impl<S: Send + Sync + 'static, O: Serialize + Send + 'static> Keeping<S, O> {
    pub(super) fn of(entry: &Entry, name: &str, run: Run<S, O>) -> Result<Self, Error> {
        let state = Arc::clone(&entry.bound(name)?.state);
        let state = state.downcast().map_err(|_| {
            Error::new(
                ErrorKind::MissingState,
                format!("the state of task {name} has another type"),
            )
        })?;
        Ok(Self {
            state,
            run,
            output: Arc::default(),
        })
    }

    pub(super) fn bound(&self) -> Bound {
        let handler = Self {
            state: Arc::clone(&self.state),
            run: self.run,
            output: Arc::clone(&self.output),
        };
        Bound {
            handler: Arc::new(handler),
            state: self.state.clone(),
        }
    }

    pub(super) fn performed(&self, ran: Result<Vec<u8>, Failure>) -> Performed<O> {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (ran, output) {
            (Ok(_), Some(output)) => Performed::Done(output),
            (Ok(_), None) => Performed::Failed("it gave nothing back".into()),
            (Err(failure), _) => Performed::of(failure),
        }
    }
}

impl<S: Send + Sync, O: Serialize + Send> Handler for Keeping<S, O> {
    fn call(&self, input: Input, metadata: TaskMetadata) -> BoxFuture<'_, Result<Vec<u8>, Failure>> {
        Box::pin(async move {
            let output = (self.run)(Arc::clone(&self.state), input, metadata).await?;
            let json = serde_json::to_vec(&output).map_err(Failure::Output)?;
            *self.output.lock().unwrap_or_else(PoisonError::into_inner) = Some(output);
            Ok(json)
        })
    }
}
