//! When a task runs.

use std::time::{Duration, Instant, SystemTime};

use crate::base::process;

/// When a task runs: a [`Duration`] from now, a [`SystemTime`] or an [`Instant`].
///
/// The times of `chrono` and `jiff` convert to `SystemTime` with `into()`.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use cloud_tasks::task::RunAt;
///
/// let soon: RunAt = Duration::from_secs(60).into();
/// let instant: RunAt = SystemTime::UNIX_EPOCH.into();
/// assert!(soon.at() > instant.at());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RunAt(Moment);

#[derive(Clone, Copy, Debug)]
enum Moment {
    After(Duration),
    At(SystemTime),
}

impl RunAt {
    /// The time, counted from now; the latest possible time if it is too far away.
    pub fn at(self) -> SystemTime {
        self.from(process::now())
    }

    /// The time, counted from this instant.
    pub(crate) fn from(self, now: SystemTime) -> SystemTime {
        match self.0 {
            // A time that the clock cannot represent exceeds every limit, so any distant time will do.
            Moment::After(delay) => now
                .checked_add(delay)
                .unwrap_or(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX) * 50)),
            Moment::At(instant) => instant,
        }
    }
}

impl From<Duration> for RunAt {
    fn from(delay: Duration) -> Self {
        Self(Moment::After(delay))
    }
}

impl From<SystemTime> for RunAt {
    fn from(instant: SystemTime) -> Self {
        Self(Moment::At(instant))
    }
}

impl From<Instant> for RunAt {
    fn from(instant: Instant) -> Self {
        Self(Moment::After(instant.saturating_duration_since(Instant::now())))
    }
}

/// When a requested task runs.
#[derive(Clone, Copy, Default)]
pub(crate) enum Start {
    #[default]
    Now,
    At(RunAt),
    /// At a random time before this one.
    Before(RunAt),
}

impl Start {
    /// The start time, unless it is now or in the past.
    pub fn time(self, now: SystemTime, max_ahead: Duration) -> Option<SystemTime> {
        match self {
            Self::Now => None,
            Self::At(when) => Some(when.from(now)).filter(|time| *time > now),
            Self::Before(deadline) => {
                let longest = deadline
                    .from(now)
                    .duration_since(now)
                    .unwrap_or_default()
                    .min(max_ahead);
                let delay = longest.mul_f64(process::random_fraction());
                now.checked_add(delay).filter(|time| *time > now)
            }
        }
    }
}
