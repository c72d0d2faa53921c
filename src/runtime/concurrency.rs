//! The limit of concurrent requests.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

/// The bodies of all waiting requests take at most so many KiB.
const MAX_WAITING_KIB: usize = 64 * 1024;
/// What a waiting request takes besides its body, in KiB.
const REQUEST_KIB: usize = 16;
/// The part of an attempt's time that a request may wait.
const PART_OF_TIMEOUT: u32 = 4;

/// A maximum number of concurrent requests. Further requests wait for a bounded time.
pub(crate) struct Limit {
    slots: Semaphore,
    /// The memory that waiting requests may take, in KiB.
    waiting: Semaphore,
    wait: Duration,
}

/// The slot of a running request.
pub(crate) struct Slot<'a>(#[expect(dead_code, reason = "dropping it frees the slot")] SemaphorePermit<'a>);

impl Limit {
    pub fn new(max: usize, wait: Duration) -> Self {
        Self {
            // Nobody has as many requests; the semaphore panics beyond.
            slots: Semaphore::new(max.min(Semaphore::MAX_PERMITS)),
            waiting: Semaphore::new(MAX_WAITING_KIB),
            wait,
        }
    }

    /// Until when a request waits for a slot that arrived at this instant and whose attempt has this timeout.
    pub fn wait_until(&self, since: Instant, timeout: Duration) -> Instant {
        since + self.wait.min(timeout / PART_OF_TIMEOUT)
    }

    /// Returns whether a new request would be rejected at once.
    pub fn is_exhausted(&self) -> bool {
        let cannot_wait = self.wait.is_zero() || self.waiting.available_permits() < REQUEST_KIB;
        cannot_wait && self.is_reached()
    }

    /// Returns whether a new request would have to wait.
    pub fn is_reached(&self) -> bool {
        self.slots.available_permits() == 0
    }

    /// Waits for a slot. Returns `None` if there is none in time, or if too many requests wait.
    pub async fn slot(&self, body_bytes: usize, until: Instant) -> Option<Slot<'_>> {
        if let Ok(slot) = self.slots.try_acquire() {
            return Some(Slot(slot));
        }
        let kib = u32::try_from(body_bytes.div_ceil(1024) + REQUEST_KIB).ok()?;
        let _room = self.waiting.try_acquire_many(kib).ok()?;
        let slot = timeout_at(until, self.slots.acquire()).await;
        slot.ok()?.ok().map(Slot)
    }
}
