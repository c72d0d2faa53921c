//! The clock of a recorder.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// The machine's time until it is set or moved; then a time that stands still.
pub(super) struct Time(Mutex<Option<SystemTime>>);

impl Time {
    pub(super) fn new(start: Option<SystemTime>) -> Self {
        Self(Mutex::new(start))
    }

    pub(super) fn now(&self) -> SystemTime {
        self.lock().unwrap_or_else(SystemTime::now)
    }

    /// Makes it stand still, and gives back where.
    pub(super) fn stop(&self) -> SystemTime {
        *self.lock().get_or_insert_with(SystemTime::now)
    }

    /// Moves it by this long, and not at all where no time is that far away.
    pub(super) fn advance(&self, by: Duration) {
        let mut time = self.lock();
        let now = time.unwrap_or_else(SystemTime::now);
        *time = Some(now.checked_add(by).unwrap_or(now));
    }

    /// Moves it to this time, unless it is later than that: then says what time it is.
    pub(super) fn advance_to(&self, to: SystemTime) -> Result<(), SystemTime> {
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
