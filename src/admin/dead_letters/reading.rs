//! Reading dead letters until no more arrive.

use std::time::Duration;

use tokio::time::Instant;

use crate::backend::{Claim, Closed, DeadLetter, DeadLetterReader, NextLetter};
use crate::base::Error;

/// The pause between two looks at an empty subscription.
const PAUSE: Duration = Duration::from_millis(500);

/// A reader that waits for messages, but not for ever.
pub(crate) struct Reading {
    reader: Box<dyn DeadLetterReader>,
    idle_timeout: Duration,
}

/// What was read.
pub(crate) enum Read {
    Letter(DeadLetter),
    /// Nothing arrived for the idle timeout.
    NoMore,
    /// Too many messages stay for more to be leased.
    Full,
}

impl Reading {
    pub fn new(reader: Box<dyn DeadLetterReader>, idle_timeout: Duration) -> Self {
        Self { reader, idle_timeout }
    }

    /// Reads the next message. A caller may drop the future.
    pub async fn next(&mut self, most: usize) -> Result<Read, Error> {
        let started = Instant::now();
        loop {
            match self.reader.next(most).await? {
                NextLetter::Letter(letter) => return Ok(Read::Letter(letter)),
                NextLetter::End => return Ok(Read::NoMore),
                NextLetter::Full => return Ok(Read::Full),
                NextLetter::NotYet => {
                    let left = self.idle_timeout.saturating_sub(started.elapsed());
                    if left.is_zero() {
                        return Ok(Read::NoMore);
                    }
                    tokio::time::sleep(PAUSE.min(left)).await;
                }
            }
        }
    }

    pub async fn close(self, held: Vec<Box<dyn Claim>>) -> Closed {
        self.reader.close(held).await
    }
}
