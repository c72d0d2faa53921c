//! The interface of backends whose queues can be operated.

use crate::backend::BackendFuture;
use crate::base::{QueueInfo, QueuedTask};

/// Which parts of a task are requested.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum View {
    /// Everything except its arguments.
    Basic,
    /// Including its arguments, which are large and need a permission of their own.
    Full,
}

/// A page of a queue's tasks.
pub(crate) struct Page {
    pub tasks: Vec<QueuedTask>,
    /// The token of the next page; `None` after the last.
    pub next: Option<String>,
}

/// Operations on queues by their short names, and on tasks by their ids; both are valid.
///
/// A missing queue is an error. If the service does not distinguish it from a missing task, the task counts as missing.
pub(crate) trait QueueOperations: Send + Sync {
    /// Returns a task, if it exists.
    fn get<'a>(&'a self, queue: &'a str, id: &'a str, view: View) -> BackendFuture<'a, Option<QueuedTask>>;

    /// Returns at most `size` tasks, from the start or from the token of another page.
    fn page<'a>(
        &'a self,
        queue: &'a str,
        view: View,
        size: u16,
        from: Option<&'a str>,
    ) -> BackendFuture<'a, Page>;

    /// Deletes a task. Returns `false` if it was not found.
    fn delete<'a>(&'a self, queue: &'a str, id: &'a str) -> BackendFuture<'a, bool>;

    /// Dispatches a task now, whenever it is due. Returns `false` if it was not found.
    fn run<'a>(&'a self, queue: &'a str, id: &'a str) -> BackendFuture<'a, bool>;

    /// Pauses a queue, which then dispatches no tasks.
    fn pause<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()>;

    /// Resumes a queue.
    fn resume<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()>;

    /// Deletes all tasks of a queue.
    fn purge<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()>;

    /// Returns the state and the settings of a queue.
    fn info<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, QueueInfo>;
}
