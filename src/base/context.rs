//! The context of a running task.

use std::fmt;
use std::sync::Arc;

use crate::base::metadata::TaskMetadata;

/// The context of a running task: its state, and the metadata of the attempt.
///
/// `S` is the state that the task needs, as registered with the builder's `state(..)`: one type, a tuple of cloneable
/// types, or nothing.
///
/// ```
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone)]
/// struct Greeting(&'static str);
///
/// #[derive(Serialize, Deserialize)]
/// struct GreetVisitor { name: String }
///
/// #[task]
/// impl Task for GreetVisitor {
///     async fn run(self, cx: Context<Greeting>) -> TaskResult<String> {
///         Ok(format!("{} {}, attempt {}", cx.state().0, self.name, cx.metadata().attempt()))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let runtime = Runtime::eager().state(Greeting("hello")).build().await?;
/// let text = GreetVisitor { name: "Ada".into() }.sync().on(&runtime).await?;
/// assert_eq!(text, "hello Ada, attempt 1");
/// # Ok(())
/// # }
/// ```
pub struct Context<S = ()> {
    state: Arc<S>,
    metadata: TaskMetadata,
}

impl<S> Context<S> {
    pub(crate) fn new(state: Arc<S>, metadata: TaskMetadata) -> Self {
        Self { state, metadata }
    }

    /// The task's state.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The metadata of this attempt: its queue, its id and its number.
    pub fn metadata(&self) -> &TaskMetadata {
        &self.metadata
    }
}

impl<S> Clone for Context<S> {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            metadata: self.metadata.clone(),
        }
    }
}

impl<S> fmt::Debug for Context<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}
