//! The clock of a recorder.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// The system's time until it is set or moved; after that a fixed time.
pub(super) struct Time(Mutex<Option<SystemTime>>);

impl Time {
    pub fn new(start: Option<SystemTime>) -> Self {
        Self(Mutex::new(start))
    }

    pub fn now(&self) -> SystemTime {
        self.lock().unwrap_or_else(SystemTime::now)
    }

    /// Stops the clock, and returns its time.
    pub fn stop(&self) -> SystemTime {
        *self.lock().get_or_insert_with(SystemTime::now)
    }

    /// Advances the clock, unless the resulting time cannot be represented.
    pub fn advance(&self, by: Duration) {
        let mut time = self.lock();
        let now = time.unwrap_or_else(SystemTime::now);
        *time = Some(now.checked_add(by).unwrap_or(now));
    }

    /// Advances the clock to this time. Fails with the current time if that is later.
    pub fn advance_to(&self, to: SystemTime) -> Result<(), SystemTime> {
        let mut time = self.lock();
        let now = time.unwrap_or_else(SystemTime::now);
        if now > to {
            return Err(now);
        }
        *time = Some(to);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<SystemTime>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
