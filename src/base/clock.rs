//! The clock that a runtime goes by.

use std::sync::Arc;
use std::time::SystemTime;

/// What tells the time; a test's own clock stands still until it is moved.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// A clock that this function tells the time of.
    pub(crate) fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> SystemTime {
        (self.0)()
    }
}

impl Default for Clock {
    /// The machine's.
    fn default() -> Self {
        Self(Arc::new(SystemTime::now))
    }
}
