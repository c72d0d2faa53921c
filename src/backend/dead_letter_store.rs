//! Where dead tasks are kept, as whoever reads them sees it.

use std::time::Duration;

use bytes::Bytes;

use crate::base::{BoxFuture, Error};
use crate::registry::dead_letter::DeadLetters;

/// What keeps dead tasks: Pub/Sub, or the local engine.
pub(crate) trait DeadLetterStore: Send + Sync {
    /// Opens what is kept of a topic.
    fn open<'a>(
        &'a self,
        letters: &'a DeadLetters,
        reading: Reading,
    ) -> BoxFuture<'a, Result<Box<dyn DeadLetterReader>, Error>>;
}

/// How letters are read.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    /// How many are held at once.
    pub at_once: u32,
    /// After so long without one there are no more.
    pub idle_timeout: Duration,
}

/// The letters of a topic.
pub(crate) trait DeadLetterReader: Send {
    /// The next one; `None` where no more come.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<DeadLetter>, Error>>;

    /// Waits until all that was acknowledged is, and gives the others back, which are held.
    fn close(self: Box<Self>, held: Vec<Box<dyn Claim>>) -> BoxFuture<'static, ()>;
}

/// A message that nobody else gets while it is held.
pub(crate) struct DeadLetter {
    pub id: String,
    pub data: Bytes,
    pub claim: Box<dyn Claim>,
}

/// The hold on a message; dropped, it gives the message back.
pub(crate) trait Claim: Send + Sync {
    /// The message is done with.
    fn acknowledge(self: Box<Self>);
}
