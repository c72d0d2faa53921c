//! The outcome of one attempt.

use std::time::Duration;

use crate::base::text::error_chain;
use crate::base::{AttemptText, BoxError, Discard, TaskError};
use crate::registry::AttemptError;

/// The outcome of one attempt; see [`Runtime::perform`](crate::Runtime::perform).
///
/// Match on it, or use the `assert_` methods, which return the value of the expected outcome.
///
/// ```
/// use std::time::Duration;
/// use cloud_tasks::testing::Performed;
/// use cloud_tasks::{Context, Discard, RetryAfter, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct ChargePhone { invoice: u64 }
///
/// #[task]
/// impl Task for ChargePhone {
///     async fn run(self, _cx: Context) -> TaskResult<u64> {
///         match self.invoice {
///             0 => Err(Discard::new("no such invoice"))?,
///             1 => Err(RetryAfter::new(Duration::from_secs(30)))?,
///             2 => Err("the card was refused")?,
///             3 => panic!("out of ink"),
///             invoice => Ok(invoice * 100),
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let runtime = Runtime::eager().build().await?;
/// let charge = |invoice| runtime.perform(ChargePhone { invoice });
/// assert_eq!(charge(0).await?.assert_discarded().reason(), "no such invoice");
/// assert_eq!(charge(1).await?.assert_retry_after(), Duration::from_secs(30));
/// assert_eq!(charge(2).await?.assert_failed().to_string(), "the card was refused");
/// assert!(matches!(charge(3).await?, Performed::Panicked(message) if message == "out of ink"));
/// assert_eq!(charge(4).await?.assert_done(), 400);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "match on it, or assert the expected outcome"]
pub enum Performed<O> {
    /// It succeeded and returned this output.
    Done(O),
    /// It failed, and would be retried.
    Failed(BoxError),
    /// It discarded itself, and would not be retried.
    Discarded(Discard),
    /// It asked for a retry, but not before this time has passed.
    RetryAfter(Duration),
    /// It panicked with this message, and would be retried.
    Panicked(String),
    /// It exceeded this timeout and was cancelled; it would be retried.
    TimedOut(Duration),
    /// The input does not decode: the type does not deserialize what it serializes, or the message has another shape.
    Unreadable(String),
}

impl<O> Performed<O> {
    /// The outcome of a run, with its output.
    pub(super) fn of_run(ran: Result<Vec<u8>, AttemptError>, output: Option<O>) -> Self {
        match (ran, output) {
            (Ok(_), Some(output)) => Self::Done(output),
            (Ok(_), None) => Self::Failed("it did not run: it is idempotent and has run before".into()),
            (Err(failure), _) => Self::of(failure),
        }
    }

    /// The outcome of a failure.
    fn of(failure: AttemptError) -> Self {
        match failure {
            AttemptError::Decode(reason) => Self::Unreadable(reason),
            AttemptError::Task(TaskError::Failed(error))
            | AttemptError::Store(error)
            | AttemptError::Unrenewed(error) => Self::Failed(error),
            AttemptError::Task(TaskError::Discard(discard)) => Self::Discarded(discard),
            AttemptError::Task(TaskError::RetryAfter(retry)) => Self::RetryAfter(retry.delay()),
            AttemptError::Output(error) => {
                Self::Failed(format!("it {}: {error}", AttemptText::CannotWrite).into())
            }
            AttemptError::Panicked(message) => Self::Panicked(message),
            AttemptError::TimedOut(timeout) => Self::TimedOut(timeout),
            failure @ (AttemptError::InProgress
            | AttemptError::TurnedAway(_)
            | AttemptError::Interrupted
            | AttemptError::AlreadyDead) => Self::Failed(format!("it {}", failure.text()).into()),
            AttemptError::Dead(failure) => Self::of(*failure),
        }
    }

    /// Asserts that it succeeded, and returns its output.
    ///
    /// # Panics
    ///
    /// If it did not; the message describes the outcome.
    #[track_caller]
    pub fn assert_done(self) -> O {
        match self {
            Self::Done(output) => output,
            other => panic!("expected a success, but {}", other.message()),
        }
    }

    /// Asserts that it failed, and returns the error.
    ///
    /// # Panics
    ///
    /// If it did not; the message describes the outcome.
    #[track_caller]
    pub fn assert_failed(self) -> BoxError {
        match self {
            Self::Failed(error) => error,
            other => panic!("expected a failure, but {}", other.message()),
        }
    }

    /// Asserts that it discarded itself, and returns the discard.
    ///
    /// # Panics
    ///
    /// If it did not; the message describes the outcome.
    #[track_caller]
    pub fn assert_discarded(self) -> Discard {
        match self {
            Self::Discarded(discard) => discard,
            other => panic!("expected a discard, but {}", other.message()),
        }
    }

    /// Asserts that it asked for a later retry, and returns the delay.
    ///
    /// # Panics
    ///
    /// If it did not; the message describes the outcome.
    #[track_caller]
    pub fn assert_retry_after(self) -> Duration {
        match self {
            Self::RetryAfter(delay) => delay,
            other => panic!("expected a `RetryAfter`, but {}", other.message()),
        }
    }

    /// The outcome in words.
    fn message(&self) -> String {
        match self {
            Self::Done(_) => "it succeeded".to_owned(),
            Self::Failed(error) => {
                format!("it {}: {}", AttemptText::Failed, error_chain(&**error))
            }
            Self::Discarded(discard) => format!("it {}: {}", AttemptText::Discarded, discard.reason()),
            Self::RetryAfter(delay) => format!("it {}: after {delay:?}", AttemptText::AskedForRetry),
            Self::Panicked(message) => format!("it {}", AttemptText::Panicked(message)),
            Self::TimedOut(timeout) => format!("it {}", AttemptText::TimedOut(*timeout)),
            Self::Unreadable(reason) => format!("it {}", AttemptText::CannotRead(reason)),
        }
    }
}
