//! The outcomes of a task: done, failed, discarded, or to be retried later.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::base::error::{BoxError, Error};

/// The result of [`Task::run`](crate::Task::run). On any error except a [`Discard`] the task is retried.
pub type TaskResult<T = ()> = Result<T, TaskError>;

/// Why a task did not succeed; converted by `?` from any error.
///
/// A [`Discard`] or a [`RetryAfter`] is recognized, also inside this library's [`Error`], which `sync()` of another
/// task returns. Inside `anyhow::Error` or another wrapper it is an ordinary error, and the task is retried.
///
/// ```
/// use cloud_tasks::{Discard, TaskError};
///
/// fn parse(text: &str) -> Result<u64, TaskError> {
///     Ok(text.parse()?)                                    // retried
/// }
/// fn known(id: u64) -> Result<u64, TaskError> {
///     if id == 0 { Err(Discard::new("user 0 never exists"))? }  // never retried
///     Ok(id)
/// }
/// assert!(!parse("seven").unwrap_err().is_discard());
/// assert!(known(0).unwrap_err().is_discard());
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum TaskError {
    /// The task failed and is retried as its queue is configured.
    Failed(BoxError),
    /// The task is done without a result, and is not retried.
    Discard(Discard),
    /// The task is retried, but not before the given time has passed.
    RetryAfter(RetryAfter),
}

impl TaskError {
    /// Whether the task is discarded, and so never run again.
    pub fn is_discard(&self) -> bool {
        matches!(self, Self::Discard(_))
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Discard(discard) => discard.fmt(f),
            Self::RetryAfter(retry) => retry.fmt(f),
        }
    }
}

// Like `anyhow::Error`, this type does not implement `Error`: otherwise it could not convert from every error through
// `?`.
impl<E: Into<BoxError>> From<E> for TaskError {
    fn from(error: E) -> Self {
        let error = error.into();
        let error = match error.downcast::<Discard>() {
            Ok(discard) => return Self::Discard(*discard),
            Err(error) => error,
        };
        let error = match error.downcast::<RetryAfter>() {
            Ok(retry) => return Self::RetryAfter(*retry),
            Err(error) => error,
        };
        match error.downcast::<Error>() {
            Ok(error) => error.into_outcome(),
            Err(error) => Self::Failed(error),
        }
    }
}

/// Stops a task for good: it is answered with a success, so it is not retried.
///
/// ```
/// use cloud_tasks::{Discard, TaskResult};
///
/// async fn run(order: Option<u64>) -> TaskResult<u64> {
///     let Some(order) = order else {
///         return Err(Discard::new("the order is gone"))?;
///     };
///     Ok(order)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discard {
    reason: String,
    status: Option<u16>,
}

tokio::task_local! {
    /// Set while a subscriber runs: its discards must acknowledge the message.
    static IN_SUBSCRIBER: ();
}

/// Runs a subscriber's future. Inside it, a discard with a status that does not acknowledge is rejected when it is
/// made.
pub(crate) async fn in_subscriber<F: Future>(future: F) -> F::Output {
    IN_SUBSCRIBER.scope((), future).await
}

/// Whether Pub/Sub treats a status as an acknowledgement. Source:
/// <https://cloud.google.com/pubsub/docs/push#receive_push>.
pub(crate) fn acknowledges(status: u16) -> bool {
    matches!(status, 200 | 201 | 202 | 204)
}

impl Discard {
    /// Creates a discard with a reason, which is logged. It is answered with 202, or with 200 in a subscriber.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            status: None,
        }
    }

    /// Sets the response status, instead of 202.
    ///
    /// # Errors
    ///
    /// If `status` is not 200 to 299: Cloud Tasks would retry the task. In a subscriber, if it is not 200, 201, 202 or
    /// 204: no other status acknowledges a message.
    ///
    /// ```
    /// use cloud_tasks::Discard;
    ///
    /// assert_eq!(Discard::new("gone").status(204)?.status_code(), Some(204));
    /// assert!(Discard::new("gone").status(410).is_err());
    /// # Ok::<(), cloud_tasks::Error>(())
    /// ```
    pub fn status(mut self, status: u16) -> Result<Self, Error> {
        if !(200..300).contains(&status) {
            return Err(Error::invalid(format!(
                "a discard cannot answer {status}: Cloud Tasks retries all but 200 to 299"
            )));
        }
        if IN_SUBSCRIBER.try_with(|()| ()).is_ok() && !acknowledges(status) {
            return Err(Error::invalid(format!(
                "a subscriber's discard cannot answer {status}: Pub/Sub delivers again after all but 200, 201, 202 and 204"
            )));
        }
        self.status = Some(status);
        Ok(self)
    }

    /// The reason.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The HTTP status of the response, if one was set.
    pub fn status_code(&self) -> Option<u16> {
        self.status
    }
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "discarded: {}", self.reason)
    }
}

impl StdError for Discard {}

/// Fails a task and asks Cloud Tasks to wait before the retry.
///
/// The response is 503 with `Retry-After`, which slows the whole queue down and not only this task. Use it if an
/// external service that all tasks of the queue need is unavailable, not for a problem of a single task.
///
/// ```
/// use std::time::Duration;
/// use cloud_tasks::{RetryAfter, TaskResult};
///
/// async fn run() -> TaskResult {
///     Err(RetryAfter::new(Duration::from_secs(30)))?
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    delay: Duration,
}

impl RetryAfter {
    /// Requests a delay before the next attempt.
    ///
    /// It is sent in whole seconds, rounded up, and at most as long as the longest backoff of the service: an hour for a
    /// task, ten minutes for a message.
    pub fn new(delay: Duration) -> Self {
        Self { delay }
    }

    /// The requested delay.
    pub fn delay(&self) -> Duration {
        self.delay
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "to be retried after {:?}", self.delay)
    }
}

impl StdError for RetryAfter {}

/// Turns a missing value or an error into a [`Discard`].
///
/// ```
/// use cloud_tasks::{OrDiscard, TaskResult};
///
/// async fn run(users: Vec<u64>, raw: &str) -> TaskResult<u64> {
///     let id: u64 = raw.parse().or_discard()?;
///     let user = users.into_iter().find(|user| *user == id).or_discard_because("no such user")?;
///     Ok(user)
/// }
/// ```
pub trait OrDiscard<T> {
    /// Returns the value, or a discard with the error's text as its reason.
    fn or_discard(self) -> Result<T, Discard>;

    /// Returns the value, or a discard with this reason.
    fn or_discard_because(self, reason: impl Into<String>) -> Result<T, Discard>;
}

impl<T> OrDiscard<T> for Option<T> {
    fn or_discard(self) -> Result<T, Discard> {
        self.or_discard_because("there was no value")
    }

    fn or_discard_because(self, reason: impl Into<String>) -> Result<T, Discard> {
        self.ok_or_else(|| Discard::new(reason))
    }
}

impl<T, E: fmt::Display> OrDiscard<T> for Result<T, E> {
    fn or_discard(self) -> Result<T, Discard> {
        self.map_err(|error| Discard::new(error.to_string()))
    }

    fn or_discard_because(self, reason: impl Into<String>) -> Result<T, Discard> {
        self.map_err(|error| Discard::new(format!("{}: {error}", reason.into())))
    }
}
