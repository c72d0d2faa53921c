//! The limit of concurrent requests.

use tokio::sync::Semaphore;

/// A maximum number of concurrent requests. Requests above it are rejected without waiting.
pub(crate) struct Limit(Semaphore);

impl Limit {
    pub fn new(max: usize) -> Self {
        // Nobody has as many requests; the semaphore panics beyond.
        Self(Semaphore::new(max.min(Semaphore::MAX_PERMITS)))
    }

    /// Returns whether a new request would be rejected.
    pub fn is_reached(&self) -> bool {
        self.0.available_permits() == 0
    }

    /// Runs the work, or returns `None` if the limit is reached.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let _permit = self.0.try_acquire().ok()?;
        Some(work.await)
    }
}
