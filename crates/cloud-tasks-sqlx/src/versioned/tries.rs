//! Repeating what a database refused for a moment.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::errors::is_transient;
use super::sqlx::Error;

/// For how long an operation is tried. Whoever has less time than that drops the operation.
const TRIED_FOR: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The tries of one operation, each on a connection of its own.
pub(super) struct Tries {
    until: Instant,
    pause: Duration,
}

impl Tries {
    pub(super) fn new() -> Self {
        Self {
            until: Instant::now() + TRIED_FOR,
            pause: FIRST_PAUSE,
        }
    }

    /// Waits until the next try. Returns the error if it would fail again, or if there is no time left.
    pub(super) async fn after(&mut self, error: Error) -> Result<(), Error> {
        if is_transient(&error) {
            self.wait(error).await
        } else {
            Err(error)
        }
    }

    /// Waits until the next try, whatever the error is.
    pub(super) async fn wait(&mut self, error: Error) -> Result<(), Error> {
        // Random, so that those who met once do not meet again.
        let pause = self.pause.mul_f64(0.5 + fastrand::f64());
        if Instant::now() + pause >= self.until {
            return Err(error);
        }
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        sleep(pause).await;
        Ok(())
    }
}
