//! What a failed attempt did, in words. Errors, responses, dead letters and test messages put a subject before them.

use std::time::Duration;

pub(crate) const FAILED: &str = "failed";
pub(crate) const DISCARDED: &str = "discarded itself";
/// With the serializer's error as the cause.
pub(crate) const CANNOT_WRITE: &str = "cannot write its output";
pub(crate) const UNDER_WAY: &str = "is under way in another delivery";
/// With the store's error as the cause.
pub(crate) const STORE_FAILED: &str = "did not run: the idempotency store failed";
pub(crate) const ASKED_FOR_RETRY: &str = "asked to be retried later";

pub(crate) fn cannot_read(reason: &str) -> String {
    format!("cannot read its arguments: {reason}")
}

pub(crate) fn panicked(message: &str) -> String {
    format!("panicked: {message}")
}

pub(crate) fn timed_out(timeout: Duration) -> String {
    format!("did not finish within {timeout:?}")
}
