//! Counting futures that outlive their caller, and waiting for their end.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::base::process;

/// Counts futures that have not ended: those of `Runtime::spawn`, or those of the library itself.
#[derive(Clone)]
pub(crate) struct Spawned {
    running: Arc<watch::Sender<usize>>,
}

impl Default for Spawned {
    fn default() -> Self {
        Self {
            running: Arc::new(watch::Sender::new(0)),
        }
    }
}

impl Spawned {
    /// Counts a future until the returned value is dropped.
    pub fn start(&self) -> Running {
        self.running.send_modify(|running| *running += 1);
        Running(Arc::clone(&self.running))
    }

    /// Spawns a future and counts it. Returns `None` outside a tokio runtime, such as in a destructor at its end.
    pub fn spawn<F>(&self, future: F) -> Option<JoinHandle<F::Output>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let tokio = Handle::try_current().ok()?;
        // Counted from now on, and not from its first poll.
        let running = self.start();
        let future = async move {
            let _running = running;
            future.await
        };
        Some(process::spawn_on(&tokio, future))
    }

    /// How many have not ended.
    pub fn len(&self) -> usize {
        *self.running.borrow()
    }

    /// Waits until all have ended.
    pub async fn wait(&self) {
        // The sender lives as long as this.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
    }
}

/// A future that has not ended.
pub(crate) struct Running(Arc<watch::Sender<usize>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}
