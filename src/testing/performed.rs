//! What came of one attempt.

use std::time::Duration;

use crate::base::{BoxError, Discard, TaskError};
use crate::registry::AttemptError;

/// What came of one attempt; see [`Runtime::perform`](crate::Runtime::perform).
///
/// Match on it, or say what it was to be: the `assert_` methods give back what there is to look at.
///
/// ```standalone_crate
/// use std::time::Duration;
/// use cloud_tasks::testing::Performed;
/// use cloud_tasks::{Context, Discard, RetryAfter, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Charge { invoice: u64 }
///
/// #[task]
/// impl Task for Charge {
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
/// let charge = |invoice| runtime.perform(Charge { invoice });
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
#[must_use = "look at it, or assert what it was to be"]
pub enum Performed<O> {
    /// It ran to its end and gave this back.
    Done(O),
    /// It failed, and would be run again.
    Failed(BoxError),
    /// It discarded itself, and would not be run again.
    Discarded(Discard),
    /// It asked to be run again, but not before this has passed.
    RetryAfter(Duration),
    /// It panicked with this message, and would be run again.
    Panicked(String),
    /// It took longer than this and was cancelled; it would be run again.
    TimedOut(Duration),
    /// What arrived does not decode: a type that does not read what it writes, or a message of another shape.
    Unreadable(String),
}

impl<O> Performed<O> {
    /// What a run came to, and its output.
    pub(super) fn of_run(ran: Result<Vec<u8>, AttemptError>, output: Option<O>) -> Self {
        match (ran, output) {
            (Ok(_), Some(output)) => Self::Done(output),
            (Ok(_), None) => Self::Failed("it did not run: it is idempotent, and ran before".into()),
            (Err(failure), _) => Self::of(failure),
        }
    }

    /// What a failure came to.
    fn of(failure: AttemptError) -> Self {
        match failure {
            AttemptError::Decode(mistake) => Self::Unreadable(mistake),
            AttemptError::Task(TaskError::Failed(error)) | AttemptError::Store(error) => Self::Failed(error),
            AttemptError::Task(TaskError::Discard(discard)) => Self::Discarded(discard),
            AttemptError::Task(TaskError::RetryAfter(retry)) => Self::RetryAfter(retry.delay()),
            AttemptError::Output(error) => {
                Self::Failed(format!("the output does not serialize: {error}").into())
            }
            AttemptError::Panicked(message) => Self::Panicked(message),
            AttemptError::TimedOut(timeout) => Self::TimedOut(timeout),
            AttemptError::InProgress => Self::Failed("it did not run: another delivery works on it".into()),
            AttemptError::Dead(failure) => Self::of(*failure),
        }
    }

    /// Checks that it ran to its end, and gives back its output.
    ///
    /// # Panics
    ///
    /// When it did not; the message says what came of it.
    #[track_caller]
    pub fn assert_done(self) -> O {
        match self {
            Self::Done(output) => output,
            other => panic!("it was to succeed, but {}", other.told()),
        }
    }

    /// Checks that it failed, and gives back the error.
    ///
    /// # Panics
    ///
    /// When it did not; the message says what came of it.
    #[track_caller]
    pub fn assert_failed(self) -> BoxError {
        match self {
            Self::Failed(error) => error,
            other => panic!("it was to fail, but {}", other.told()),
        }
    }

    /// Checks that it discarded itself, and gives back the discard.
    ///
    /// # Panics
    ///
    /// When it did not; the message says what came of it.
    #[track_caller]
    pub fn assert_discarded(self) -> Discard {
        match self {
            Self::Discarded(discard) => discard,
            other => panic!("it was to discard itself, but {}", other.told()),
        }
    }

    /// Checks that it asked to be run again later, and gives back after what time.
    ///
    /// # Panics
    ///
    /// When it did not; the message says what came of it.
    #[track_caller]
    pub fn assert_retry_after(self) -> Duration {
        match self {
            Self::RetryAfter(delay) => delay,
            other => panic!("it was to ask for a retry, but {}", other.told()),
        }
    }

    /// What came of it, in words.
    fn told(&self) -> String {
        match self {
            Self::Done(_) => "it succeeded".to_owned(),
            Self::Failed(error) => {
                let mut text = format!("it failed: {error}");
                let mut source = error.source();
                while let Some(cause) = source {
                    text = format!("{text}: {cause}");
                    source = cause.source();
                }
                text
            }
            Self::Discarded(discard) => format!("it discarded itself: {}", discard.reason()),
            Self::RetryAfter(delay) => format!("it asked to be run again after {delay:?}"),
            Self::Panicked(message) => format!("it panicked: {message}"),
            Self::TimedOut(timeout) => format!("it did not finish within {timeout:?}"),
            Self::Unreadable(mistake) => format!("what arrived does not decode: {mistake}"),
        }
    }
}
