//! What a failed attempt did, in words.

use std::fmt;
use std::time::Duration;

/// What a failed attempt did. Errors, responses, dead letters and test messages put a subject before it.
#[derive(Clone, Copy)]
pub(crate) enum AttemptText<'a> {
    Failed,
    Discarded,
    AskedForRetry,
    CannotRead(&'a str),
    /// With the serializer's error as the cause.
    CannotWrite,
    Panicked(&'a str),
    TimedOut(Duration),
    InProgress,
    /// With the store's error as the cause.
    StoreFailed,
    /// With the store's error as the cause.
    ClaimLost,
    TurnedAway(TurnedAway),
    Interrupted,
    AlreadyDead,
}

/// Why a delivery is turned away, although its caller is trusted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TurnedAway {
    AtLimit,
    /// Its body is larger than this number of bytes.
    TooLarge(usize),
    UnknownTask,
}

impl fmt::Display for TurnedAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLimit => f.write_str("the service was at its limit of concurrent requests"),
            Self::TooLarge(limit) => {
                write!(f, "its body is larger than the service's limit of {limit} bytes")
            }
            Self::UnknownTask => f.write_str("the service has no task of this name"),
        }
    }
}

impl fmt::Display for AttemptText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed => f.write_str("failed"),
            Self::Discarded => f.write_str("discarded itself"),
            Self::AskedForRetry => f.write_str("asked to be retried later"),
            Self::CannotRead(reason) => write!(f, "cannot read its arguments: {reason}"),
            Self::CannotWrite => f.write_str("cannot write its output"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::TimedOut(timeout) => write!(f, "did not finish within {timeout:?}"),
            Self::InProgress => f.write_str("is under way in another delivery"),
            Self::StoreFailed => f.write_str("did not run: the idempotency store failed"),
            Self::ClaimLost => {
                f.write_str("was cancelled: its claim in the idempotency store was not renewed")
            }
            Self::TurnedAway(reason) => write!(f, "was turned away: {reason}"),
            Self::Interrupted => f.write_str("was cancelled: its caller hung up, or the service stopped"),
            Self::AlreadyDead => f.write_str("is dead since an earlier delivery"),
        }
    }
}
