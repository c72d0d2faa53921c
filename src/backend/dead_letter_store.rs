//! The interface of stores for dead tasks.

use std::time::Duration;

use bytes::Bytes;

use crate::base::{BoxFuture, Error};
use crate::registry::dead_letter::DeadLetters;

/// A store of dead tasks: Pub/Sub, or the local engine.
pub(crate) trait DeadLetterStore: Send + Sync {
    /// Opens the dead letters of a topic.
    fn open<'a>(
        &'a self,
        letters: &'a DeadLetters,
        reading: Reading,
    ) -> BoxFuture<'a, Result<Box<dyn DeadLetterReader>, Error>>;
}

/// How dead letters are read.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    /// The maximum number of leased messages.
    pub at_once: u32,
    /// Reading ends after this long without a message.
    pub idle_timeout: Duration,
}

/// The dead letters of a topic.
pub(crate) trait DeadLetterReader: Send {
    /// The next one, or `None` if no more arrive.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<DeadLetter>, Error>>;

    /// Waits until all acknowledgements are sent, and releases the messages that are still leased.
    fn close(self: Box<Self>, held: Vec<Box<dyn Claim>>) -> BoxFuture<'static, ()>;
}

/// A leased message: nobody else receives it meanwhile.
pub(crate) struct DeadLetter {
    pub id: String,
    pub data: Bytes,
    pub claim: Box<dyn Claim>,
}

/// The lease of a message. Dropping it releases the message.
pub(crate) trait Claim: Send + Sync {
    /// Acknowledges the message.
    fn acknowledge(self: Box<Self>);
}
