//! What stops the server: the running requests, and whether new ones are accepted.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::task::TaskTracker;

/// The running requests, and whether new ones are accepted.
#[derive(Default)]
pub(crate) struct Drain {
    stopping: AtomicBool,
    pub running: TaskTracker,
}

impl Drain {
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.running.close();
    }
}
