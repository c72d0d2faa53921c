//! The limit of concurrent requests.

use tokio::sync::Semaphore;

/// At most so many at once; those beyond are turned away and do not wait.
pub(crate) struct Limit(Semaphore);

impl Limit {
    pub(crate) fn new(max: usize) -> Self {
        Self(Semaphore::new(max))
    }

    /// Whether work that came now would be turned away.
    pub(crate) fn is_reached(&self) -> bool {
        self.0.available_permits() == 0
    }

    /// Does the work; `None` if there is too much of it already.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let _permit = self.0.try_acquire().ok()?;
        Some(work.await)
    }
}
