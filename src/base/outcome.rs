//! How a task ends: done, failed and retried, discarded, or asked for again later.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::base::error::{BoxError, Error};

/// What [`Task::run`](crate::Task::run) returns; any error but a [`Discard`] means that the task is retried.
pub type TaskResult<T = ()> = Result<T, TaskError>;

/// Why a task did not succeed; made by `?` from any error.
///
/// A [`Discard`] or a [`RetryAfter`] is recognised, also inside this library's own [`Error`], which is what `sync()` of
/// another task returns. One that went through `anyhow::Error` or another wrapping type is an ordinary error: retried.
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
    /// Something went wrong: the task is retried as its queue says.
    Failed(BoxError),
    /// Stop here: the task is done, though nothing came of it.
    Discard(Discard),
    /// Try again, but not before some time has passed.
    RetryAfter(RetryAfter),
}

impl TaskError {
    /// Whether the task is never run again.
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

// Like anyhow's, this type is no `Error` itself: that is what lets every error become one through `?`.
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

/// Ends a task for good: it is answered with a success, so it is never retried.
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
    /// Set while a subscriber runs, whose discards must acknowledge.
    static IN_SUBSCRIBER: ();
}

/// Runs a subscriber's future, so that a discard which would not acknowledge is refused when it is made.
pub(crate) async fn in_subscriber<F: Future>(future: F) -> F::Output {
    IN_SUBSCRIBER.scope((), future).await
}

/// Whether Pub/Sub takes a status as an acknowledgement, of those that a service can answer with.
/// Source: <https://cloud.google.com/pubsub/docs/push#receive_push>.
pub(crate) fn acknowledges(status: u16) -> bool {
    matches!(status, 200 | 201 | 202 | 204)
}

impl Discard {
    /// A discard for `reason`, which goes to the log; answered with 202, and with 200 in a subscriber.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            status: None,
        }
    }

    /// Answers with another status than 202.
    ///
    /// # Errors
    ///
    /// When `status` is not 200 to 299: Cloud Tasks would retry the task, and a discard must not be retried. In a
    /// subscriber, when it is not 200, 201, 202 or 204: those alone acknowledge a message.
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

    /// The reason that was given.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The HTTP status that the task is answered with, where one was chosen.
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

/// Fails a task and asks Cloud Tasks to wait before it tries again.
///
/// It is answered with 503 and `Retry-After`, which slows down the whole queue and not only this task: right for an
/// outside service that everybody in the queue needs, wrong for the trouble of a single task.
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
    /// Asks for at least `delay` before the next attempt; sent in whole seconds, rounded up.
    pub fn new(delay: Duration) -> Self {
        Self { delay }
    }

    /// The time to wait.
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
    /// The value, or a discard that carries the error's text.
    fn or_discard(self) -> Result<T, Discard>;

    /// The value, or a discard for `reason`.
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
