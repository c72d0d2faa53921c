//! The limit of calls in flight, and the limit of waiting for it.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use google_cloud_gax::error::Error as GoogleError;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

/// Limits the calls in flight, since the client opens a connection for each.
#[derive(Debug)]
pub(crate) struct CallLimit {
    /// Never closed.
    slots: Semaphore,
    calls: usize,
    max_wait: Duration,
}

/// How long one operation has waited for its calls.
#[derive(Debug, Default)]
pub(crate) struct Wait(Duration);

/// Why a call was not made: all connections were in use for too long.
#[derive(Debug)]
pub(super) struct Busy {
    calls: usize,
    waited: Duration,
    /// The failure that the call was to repeat.
    last: Option<GoogleError>,
}

impl Busy {
    /// The error of a call that was not made for this reason.
    pub fn of(error: &GoogleError) -> Option<&Self> {
        error.source()?.downcast_ref()
    }

    /// Such an error, after no other failure.
    pub fn error(calls: usize, waited: Duration) -> GoogleError {
        let last = None;
        GoogleError::exhausted(Self { calls, waited, last })
    }

    /// Names the failure that the call was to repeat.
    pub fn after(error: GoogleError, last: Option<GoogleError>) -> GoogleError {
        match Self::of(&error) {
            Some(&Self { calls, waited, .. }) => GoogleError::exhausted(Self { calls, waited, last }),
            None => error,
        }
    }
}

impl CallLimit {
    pub fn new(calls: usize, max_wait: Duration) -> Self {
        Self {
            slots: Semaphore::new(calls),
            calls,
            max_wait,
        }
    }

    /// A place for a call, if one is free.
    pub fn try_take(&self) -> Option<SemaphorePermit<'_>> {
        self.slots.try_acquire().ok()
    }

    /// Waits for a place. All waits of one operation share the limit.
    pub async fn take(&self, wait: &mut Wait) -> Result<SemaphorePermit<'_>, GoogleError> {
        let started = Instant::now();
        let left = self.max_wait.saturating_sub(wait.0);
        let place = timeout(left, self.slots.acquire()).await;
        wait.0 = wait.0.saturating_add(started.elapsed());
        match place {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Busy::error(self.calls, self.max_wait)),
        }
    }
}

impl Wait {
    pub fn spent(&self) -> Duration {
        self.0
    }
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, waited, last } = self;
        let connections = if *calls == 1 {
            "the only connection".to_owned()
        } else {
            format!("one of {calls} connections")
        };
        let again = match last {
            None => "sent",
            Some(_) => "sent again",
        };
        write!(f, "it waited {waited:?} for {connections}, and was not {again}")
    }
}

impl StdError for Busy {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.last.as_ref().map(|last| last as _)
    }
}
