//! Retries of interactive calls.

use std::time::Duration;

use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_gax::exponential_backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use google_cloud_gax::retry_policy::RetryPolicy;
use google_cloud_gax::retry_result::RetryResult;
use google_cloud_gax::retry_state::RetryState;

use crate::backend::google::error::{CallOutcome, is};

/// Somebody waits: report an unreachable service soon.
const ATTEMPTS: u32 = 5;

/// Retries transient errors; for repeatable calls.
#[derive(Debug)]
pub(crate) struct RetryTransient;

impl RetryPolicy for RetryTransient {
    fn on_error(&self, state: &RetryState, error: GoogleError) -> RetryResult {
        // Somebody changed the resource in between, so the same request would fail again: its caller reads it first.
        let is_outdated = is(&error, Code::Aborted);
        if !CallOutcome::of(&error).retryable || is_outdated {
            RetryResult::Permanent(error)
        } else if state.attempt_count >= ATTEMPTS {
            RetryResult::Exhausted(error)
        } else {
            RetryResult::Continue(error)
        }
    }
}

/// A backoff that is acceptable if somebody waits.
pub(crate) fn backoff() -> ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_delay(Duration::from_millis(200))
        .with_maximum_delay(Duration::from_secs(5))
        .clamp()
}
