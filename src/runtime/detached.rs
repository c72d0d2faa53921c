//! Work of the library that outlives its caller: a client may hang up at any time, and its request is dropped then.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tracing::Instrument;

use crate::base::process;
use crate::runtime::Runtime;
use crate::runtime::scope::{Scope, awaited};
use crate::runtime::spawned::Running;

/// The work, in a form that can move to a task of its own.
type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What becomes of a result that nobody waits for.
type Orphaned<T> = Box<dyn FnOnce(T) + Send>;

/// Runs work in its caller, and in a task of its own from when the caller drops it after its first poll.
///
/// In the caller, because a task would cost every request its time and would leave the caller's task-local values.
pub(crate) struct RunToEnd<T: Send + 'static> {
    state: Option<(Work<T>, Orphaned<T>)>,
    runtimes: Vec<Runtime>,
    scope: Option<Scope>,
    /// Where it was first polled.
    tokio: Option<Handle>,
}

impl<T: Send + 'static> RunToEnd<T> {
    /// The runtimes are those whose stop waits for the work. `orphaned` takes the result if the caller has gone.
    pub fn new(
        runtimes: Vec<Runtime>,
        work: impl Future<Output = T> + Send + 'static,
        orphaned: impl FnOnce(T) + Send + 'static,
    ) -> Self {
        Self {
            state: Some((Box::pin(work.in_current_span()), Box::new(orphaned))),
            runtimes,
            scope: Scope::current().ok(),
            tokio: None,
        }
    }
}

impl<T: Send + 'static> Future for RunToEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if self.tokio.is_none() {
            self.tokio = Handle::try_current().ok();
        }
        // Taken while it is polled, so that work that panics is not polled again.
        let Some((mut work, orphaned)) = self.state.take() else {
            return Poll::Pending;
        };
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            self.state = Some((work, orphaned));
        }
        Poll::Ready(ready!(polled))
    }
}

impl<T: Send + 'static> Drop for RunToEnd<T> {
    fn drop(&mut self) {
        // What was never polled has not begun.
        let (Some((work, orphaned)), Some(tokio)) = (self.state.take(), &self.tokio) else {
            return;
        };
        let running: Vec<_> = self.runtimes.iter().map(Runtime::start_own_work).collect();
        let work = awaited(async move {
            let _running = running;
            orphaned(work.await);
        });
        // If tokio is shutting down, the work is dropped here, and says itself what it leaves undone.
        match self.scope.take() {
            Some(scope) => drop(process::spawn_on(tokio, scope.run(work))),
            None => drop(process::spawn_on(tokio, work)),
        }
    }
}

impl Runtime {
    /// Counts work of the library, which a stop and a flush wait for, until the returned value is dropped.
    fn start_own_work(&self) -> Running {
        self.inner.own_work.start()
    }

    /// Waits until the library's own work has ended.
    pub(crate) async fn own_work_ended(&self) {
        self.inner.own_work.wait().await;
    }

    /// Reports own work that has not ended in time.
    pub(crate) fn warn_of_own_work(&self) {
        let unfinished = self.inner.own_work.len();
        if unfinished > 0 {
            tracing::error!(
                unfinished,
                "work of requests that had ended did not end in time: messages of committed transactions, records of dead \
                 tasks or releases of claims may be lost"
            );
        }
    }
}
