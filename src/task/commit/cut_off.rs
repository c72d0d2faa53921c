//! What is logged about commits whose caller was dropped.

use crate::base::BoxError;
use crate::base::text::error_chain;

/// Logs the outcome of a commit or of its hooks, when nobody is left to be told.
pub fn log_orphaned<T>(outcome: Result<T, impl Into<BoxError>>) {
    match outcome {
        Ok(_) => tracing::info!(
            "the caller of a commit was dropped; it has ended without it, and everything was sent"
        ),
        Err(error) => tracing::error!(
            error = %error_chain(&*error.into()),
            "the caller of a commit was dropped, so nobody handles its error"
        ),
    }
}

/// How far the sending is. It is dropped before its end if tokio shuts down, or if a backend panics.
pub struct Progress {
    pub left: usize,
    pub total: usize,
}

impl Progress {
    pub fn new(total: usize) -> Self {
        Self { left: total, total }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let Self { left, total } = *self;
        if left > 0 {
            tracing::error!(
                left,
                total,
                "the sending after a commit was cut off; what is left is lost"
            );
        }
    }
}

/// A commit under way.
#[doc(hidden)]
#[derive(Debug)]
#[must_use = "dropping it reports the hooks as lost"]
pub struct InDoubt {
    waiting: usize,
}

impl InDoubt {
    pub(crate) fn new(waiting: usize) -> Self {
        Self { waiting }
    }

    /// The commit has an outcome.
    pub fn is_over(mut self) {
        self.waiting = 0;
    }
}

impl Drop for InDoubt {
    fn drop(&mut self) {
        let waiting = self.waiting;
        if waiting > 0 {
            tracing::error!(
                waiting,
                "a commit was cut off: the transaction may be committed, and its tasks and messages may not be sent"
            );
        }
    }
}
