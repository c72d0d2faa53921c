//! The classification of the errors of Google's APIs: what a failed call did, whether to retry it, and what fixes it.

mod call;
mod help;
mod http;
mod outcome;
#[cfg(test)]
mod tests;

pub(crate) use call::{Call, Earlier, Operation};
pub(crate) use http::{of_http, of_response};
pub(crate) use outcome::{CallOutcome, is, is_blocked, is_queue_absent};
