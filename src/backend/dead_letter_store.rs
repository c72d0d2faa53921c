//! The interface of stores for dead tasks.

use bytes::Bytes;

use crate::base::{BoxFuture, Error};
use crate::registry::dead_letter::DeadLetters;

/// A store of dead tasks: Pub/Sub, or the local engine.
pub(crate) trait DeadLetterStore: Send + Sync {
    /// Opens the dead letters of a topic.
    fn open<'a>(
        &'a self,
        letters: &'a DeadLetters,
    ) -> BoxFuture<'a, Result<Box<dyn DeadLetterReader>, Error>>;
}

/// The dead letters of a topic.
///
/// A message is leased from when it is read until its claim is acknowledged or dropped.
pub(crate) trait DeadLetterReader: Send {
    /// Reads the next one; at most `most` are leased ahead. Sends acknowledgements now and then.
    ///
    /// A caller may drop the future: nothing that was read or acknowledged is forgotten.
    fn next(&mut self, most: usize) -> BoxFuture<'_, Result<NextLetter, Error>>;

    /// Sends all acknowledgements, and releases the messages that are still leased.
    fn close(self: Box<Self>, held: Vec<Box<dyn Claim>>) -> BoxFuture<'static, Closed>;
}

/// What a reader has.
pub(crate) enum NextLetter {
    Letter(DeadLetter),
    /// Nothing now. More may come: Pub/Sub does not say that it has no more messages.
    NotYet,
    /// There are no more.
    #[cfg_attr(
        not(feature = "local"),
        expect(dead_code, reason = "only the local engine knows it")
    )]
    End,
    /// The store leases no more messages before some are released.
    Full,
}

/// How a reading ended.
#[derive(Default)]
pub(crate) struct Closed {
    /// The messages that were leased ahead and never returned by [`next`](DeadLetterReader::next).
    pub unread: usize,
    /// The messages whose acknowledgement did not succeed: they are delivered again.
    pub unacknowledged: usize,
    /// Why it did not succeed.
    pub error: Option<Error>,
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
