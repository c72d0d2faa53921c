//! Retries of interactive calls.

use std::time::Duration;

use google_cloud_gax::backoff_policy::BackoffPolicy;
use google_cloud_gax::error::{Error as GoogleError, rpc::Code};
use google_cloud_gax::exponential_backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use google_cloud_gax::retry_policy::RetryPolicy;
use google_cloud_gax::retry_result::RetryResult;
use google_cloud_gax::retry_state::RetryState;

use crate::backend::google::call_limit::Busy;
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
        if !CallOutcome::of(&error).retryable || is_outdated || Busy::of(&error).is_some() {
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

/// Makes a call of ours, and repeats it as Google's client would. Also after a success that cannot be read, so the call must
/// be one that may be made twice.
pub(crate) async fn repeated<T, F>(call: impl Fn() -> F) -> Result<T, GoogleError>
where
    F: Future<Output = Result<T, GoogleError>>,
{
    let backoff = backoff();
    let mut state = RetryState::new(true);
    loop {
        state.attempt_count += 1;
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let retryable = CallOutcome::of(&error).retryable || error.is_deserialization();
        if !retryable || state.attempt_count >= ATTEMPTS {
            return Err(error);
        }
        tokio::time::sleep(backoff.on_failure(&state)).await;
    }
}
