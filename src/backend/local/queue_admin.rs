//! Queue operations of the local engine, which creates missing queues.

use crate::backend::BackendFuture;
use crate::backend::local::backend::LocalBackend;
use crate::backend::queue_admin::{Page, QueueOperations, View};
use crate::base::{QueueInfo, QueuedTask};

impl QueueOperations for LocalBackend {
    fn get<'a>(&'a self, queue: &'a str, id: &'a str, view: View) -> BackendFuture<'a, Option<QueuedTask>> {
        self.with_queue(queue, self.target().get(queue, id, view))
    }

    fn page<'a>(
        &'a self,
        queue: &'a str,
        view: View,
        size: u16,
        from: Option<&'a str>,
    ) -> BackendFuture<'a, Page> {
        self.with_queue(queue, self.target().page(queue, view, size, from))
    }

    fn delete<'a>(&'a self, queue: &'a str, id: &'a str) -> BackendFuture<'a, bool> {
        self.with_queue(queue, self.target().delete(queue, id))
    }

    fn run<'a>(&'a self, queue: &'a str, id: &'a str) -> BackendFuture<'a, bool> {
        self.with_queue(queue, self.target().run(queue, id))
    }

    fn pause<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()> {
        self.with_queue(queue, self.target().pause(queue))
    }

    fn resume<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()> {
        self.with_queue(queue, self.target().resume(queue))
    }

    fn purge<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, ()> {
        self.with_queue(queue, self.target().purge(queue))
    }

    fn info<'a>(&'a self, queue: &'a str) -> BackendFuture<'a, QueueInfo> {
        self.with_queue(queue, self.target().info(queue))
    }
}

impl LocalBackend {
    /// Creates a queue if it is missing, then runs the operation.
    fn with_queue<'a, T>(&'a self, queue: &'a str, operation: BackendFuture<'a, T>) -> BackendFuture<'a, T>
    where
        T: Send + 'a,
    {
        Box::pin(async move {
            self.make_queue(queue).await?;
            operation.await
        })
    }
}
