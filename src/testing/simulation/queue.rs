//! The rates and retries of a queue.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep};

use super::world::lock;
use crate::registry::queue_settings::QueueSettings;

// The defaults of Cloud Tasks. Source: `google/cloud/tasks/v2/queue.proto`.
const RATE: f64 = 500.0;
const CONCURRENT: u32 = 1_000;
const ATTEMPTS: i32 = 100;
const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(3_600);
const DOUBLINGS: u32 = 16;
/// The smallest burst. The service derives it from the rate.
const MIN_BURST: f64 = 10.0;

/// A queue.
pub(super) struct Queue {
    settings: QueueSettings,
    slots: Arc<Semaphore>,
    /// Held while a task waits for its token, so that they go in order.
    line: tokio::sync::Mutex<()>,
    bucket: Mutex<Bucket>,
    paused: watch::Sender<bool>,
    /// When it was last purged.
    pub purged: Mutex<Option<SystemTime>>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Queue {
    pub fn new(settings: QueueSettings) -> Self {
        let mut queue = Self {
            slots: Arc::new(Semaphore::new(0)),
            settings,
            line: tokio::sync::Mutex::default(),
            bucket: Mutex::new(Bucket {
                tokens: 0.0,
                filled: Instant::now(),
            }),
            paused: watch::Sender::new(false),
            purged: Mutex::default(),
        };
        queue.slots = Arc::new(Semaphore::new(queue.concurrent() as usize));
        lock(&queue.bucket).tokens = queue.burst();
        queue
    }

    pub fn rate(&self) -> f64 {
        self.settings.max_dispatches_per_second().unwrap_or(RATE)
    }

    pub fn concurrent(&self) -> u32 {
        self.settings.max_concurrent_dispatches().unwrap_or(CONCURRENT)
    }

    /// The maximum number of attempts; `None` if unlimited.
    pub fn attempts(&self) -> Option<u32> {
        let limit = self.settings.max_attempts().unwrap_or(ATTEMPTS);
        u32::try_from(limit).ok()
    }

    fn burst(&self) -> f64 {
        (self.rate() / 5.0).floor().max(MIN_BURST)
    }

    pub fn pause(&self, paused: bool) {
        self.paused.send_replace(paused);
    }

    pub fn is_paused(&self) -> bool {
        *self.paused.borrow()
    }

    /// A place for a task that runs whether there is one or not.
    pub fn free_slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).try_acquire_owned().ok()
    }

    /// Waits until a task may be dispatched. It is running until the returned value is dropped.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // Neither is ever closed.
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
        let _line = self.line.lock().await;
        let _ = self.paused.subscribe().wait_for(|paused| !paused).await;
        loop {
            let missing = {
                let (rate, burst) = (self.rate(), self.burst());
                let mut bucket = lock(&self.bucket);
                let now = Instant::now();
                let gained = now.duration_since(bucket.filled).as_secs_f64() * rate;
                bucket.tokens = (bucket.tokens + gained).min(burst);
                bucket.filled = now;
                if bucket.tokens >= 1.0 {
                    bucket.tokens -= 1.0;
                    return slot;
                }
                (1.0 - bucket.tokens) / rate
            };
            sleep(Duration::from_secs_f64(missing).max(Duration::from_millis(1))).await;
        }
    }

    /// Whether a task that has failed this often is given up.
    pub fn gives_up(&self, attempts: u32, since_first: Duration) -> bool {
        let limit = self.attempts();
        let reached = limit.is_some_and(|limit| attempts >= limit);
        let duration = self
            .settings
            .max_retry_duration()
            .filter(|duration| !duration.is_zero());
        match duration {
            // Both limits must be reached.
            Some(duration) => since_first >= duration && (limit.is_none() || reached),
            None => reached,
        }
    }

    /// The pause after this many failed attempts: it doubles, and then grows linearly.
    pub fn backoff(&self, attempts: u32) -> Duration {
        let min = self.settings.min_backoff().unwrap_or(MIN_BACKOFF);
        let max = self.settings.max_backoff().unwrap_or(MAX_BACKOFF);
        backoff(
            min,
            max,
            self.settings.max_doublings().unwrap_or(DOUBLINGS),
            attempts,
        )
    }
}

/// The pause of a policy after this many failed attempts.
pub(super) fn backoff(min: Duration, max: Duration, doublings: u32, attempts: u32) -> Duration {
    let retry = attempts.saturating_sub(1);
    let doubled = |times: u32| min.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX));
    let pause = if retry <= doublings {
        doubled(retry)
    } else {
        doubled(doublings).saturating_mul(retry - doublings + 1)
    };
    pause.min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backoff_doubles_and_then_grows_linearly() {
        let (min, max) = (Duration::from_secs(10), Duration::from_secs(300));
        let pauses = (1..=7).map(|attempts| backoff(min, max, 3, attempts).as_secs());

        // The example of the documentation.
        assert_eq!(pauses.collect::<Vec<_>>(), [10, 20, 40, 80, 160, 240, 300]);
    }
}
