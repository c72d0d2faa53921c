//! A backend that sends nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloud_tasks::backend::{Backend, BackendFuture, Envelope};
use cloud_tasks::task::Enqueued;

/// Accepts every task, sends none, and counts how often it was flushed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nowhere {
    pub(crate) flushes: Arc<AtomicUsize>,
}

impl Backend for Nowhere {
    fn enqueue(&self, envelope: Envelope) -> BackendFuture<'_> {
        Box::pin(async move { Ok(Enqueued::new(envelope.queue(), "nowhere")) })
    }

    fn flush(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            self.flushes.fetch_add(1, Ordering::SeqCst);
        })
    }
}
