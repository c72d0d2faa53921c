//! The retry policy of an enqueue.

use std::time::Duration;

#[cfg(feature = "google")]
use crate::base::limits::INDEFINITELY;

/// The shortest backoff.
#[cfg(feature = "google")]
const MIN_PAUSE: Duration = Duration::from_millis(25);

/// The retry policy of an enqueue without a clear response: backoff of 1, 2, 4… up to 60 seconds, with jitter, for 120
/// seconds.
///
/// A retry never creates a duplicate, because the client chooses the task's id.
///
/// ```
/// use std::time::Duration;
/// use cloud_tasks::backend::RetrySettings;
/// use cloud_tasks::Config;
///
/// let patient = RetrySettings { deadline: Duration::from_secs(600), ..RetrySettings::default() };
/// let config = Config::default().with_enqueue_retry(patient);
/// let once = Config::default().with_enqueue_retry(RetrySettings::off());
/// # let _ = (config, once);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrySettings {
    /// The backoff before the first retry; default 1 second. It is never shorter than 25 milliseconds, minus the jitter.
    pub initial: Duration,
    /// The longest backoff; default 60 seconds.
    pub maximum: Duration,
    /// The factor by which the backoff grows; default 2.
    pub multiplier: f64,
    /// When to give up, counted from the first call, with its access token; default 120 seconds. Zero disables retries.
    ///
    /// The waits for a free connection do not count: they have a limit of their own, `Google::max_wait`.
    pub deadline: Duration,
}

impl RetrySettings {
    /// Disables retries.
    pub fn off() -> Self {
        Self {
            deadline: Duration::ZERO,
            ..Self::default()
        }
    }
}

#[cfg(feature = "google")]
impl RetrySettings {
    /// The first and the longest backoff. Without a minimum, a setting of zero would call the service without a pause.
    #[cfg(feature = "google")]
    pub(crate) fn pauses(&self) -> (Duration, Duration) {
        let longest = self.maximum.clamp(MIN_PAUSE, INDEFINITELY);
        (self.initial.clamp(MIN_PAUSE, longest), longest)
    }

    /// The backoff after this one.
    #[cfg(feature = "google")]
    pub(crate) fn longer(&self, pause: Duration) -> Duration {
        let (_, longest) = self.pauses();
        Duration::try_from_secs_f64(pause.as_secs_f64() * self.multiplier)
            .unwrap_or(longest)
            .clamp(MIN_PAUSE, longest)
    }
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            maximum: Duration::from_secs(60),
            multiplier: 2.0,
            deadline: Duration::from_secs(120),
        }
    }
}
