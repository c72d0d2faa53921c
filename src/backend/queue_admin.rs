//! What can be done to a queue and the tasks in it: between the library and the backends that can.

use crate::backend::BackendFuture;
use crate::base::{QueueInfo, QueuedTask};

/// How much of a task is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum View {
    /// Everything but its arguments.
    Basic,
    /// Its arguments too, which are large and need a permission of their own.
    Full,
}

/// A part of a queue's tasks.
pub(crate) struct Page {
    pub tasks: Vec<QueuedTask>,
    /// Where the next part begins; `None` after the last.
    pub next: Option<String>,
}

/// Operations on queues by their short names, and on tasks by their ids; both were checked.
///
/// A queue that is not there is an error. Where the service does not tell it from a task that is not there, it is as if the
/// task were gone.
pub(crate) trait QueueOperations: Send + Sync {
    /// A task, if it is there.
    fn get<'a>(&'a self, queue: &'a str, id: &'a str, view: View) -> BackendFuture<'a, Option<QueuedTask>>;

    /// At most `size` tasks, from the first on or from where another page left off.
    fn page<'a>(
        &'a self,
        queue: &'a str,
        view: View,
        size: u16,
        from: Option<&'a str>,
    ) -> BackendFuture<'a, Page>;

    /// Deletes a task; `false` means that it was not there.
    fn delete<'a>(&'a self, queue: &'a str, id: &'a str) -> BackendFuture<'a, bool>;

    /// Has a task sent now, whenever it is due; `false` means that it was not there.
    fn run<'a>(&'a self, queue: &'a str, id: &'a str) -> BackendFuture<'a, bool>;

    /// Keeps a queue from sending tasks.
    fn pause<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()>;

    /// Lets a queue send tasks again.
    fn resume<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()>;

    /// Deletes all tasks of a queue.
    fn purge<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()>;

    /// What a queue is like.
    fn info<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, QueueInfo>;
}
