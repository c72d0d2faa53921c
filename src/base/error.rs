//! The error type of the library.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::base::attempt_text::AttemptText;
use crate::base::outcome::{Discard, RetryAfter, TaskError};
use crate::base::text;

/// Any error that is `Send` and `Sync`: what tasks may fail with, and the source of an [`Error`].
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// An error of this library: its [kind](ErrorKind), a message, and the cause as its source.
///
/// `{}` says what failed, and what fixes it if that is known. `{:#}` adds the causes, on one line, and so does `{:?}`, which a
/// `main` that returns an error prints. Log `{:#}`.
///
/// An error of an enqueue says whether the task may exist:
///
/// ```
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct ChargeDeposit { invoice: u64 }
///
/// #[task]
/// impl Task for ChargeDeposit {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let runtime = Runtime::eager().build().await?;
/// let error = ChargeDeposit { invoice: 7 }.asap().queue("no spaces, please").on(&runtime).await.unwrap_err();
/// assert!(error.is_invalid_request());
/// assert!(!error.may_have_taken_effect());
/// # Ok(())
/// # }
/// ```
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    message: String,
    /// What fixes it.
    help: Option<String>,
    may_have_taken_effect: bool,
    source: Option<BoxError>,
}

/// The kinds of [`Error`]. Match with a wildcard arm, since kinds may be added.
///
/// ```
/// use cloud_tasks::{Config, ErrorKind};
///
/// let error = Config::from_vars([("CLOUD_TASKS_EAGER", "perhaps")]).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Config);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting has an invalid value. Nothing was started.
    Config,
    /// `build()` found errors; the message lists all of them. Nothing was started.
    Build,
    /// No runtime is installed or in scope, and none was passed with `.on(..)`. Nothing was sent.
    NoRuntime,
    /// A runtime is already installed in this process, and stays installed.
    AlreadyInstalled,
    /// The runtime has no task of that name or type. Nothing ran.
    UnknownTask,
    /// The queue has no task with that id, or it is of another type. Nothing was changed, and nothing ran.
    NotQueued,
    /// The runtime has no state of a type that the task needs. Nothing ran.
    MissingState,
    /// The task's arguments do not serialize to JSON. Nothing was sent.
    Encode,
    /// The body does not decode to the task's arguments. Nothing ran.
    Decode,
    /// The request exceeds a limit of Cloud Tasks or of the settings. No call was made.
    InvalidRequest,
    /// Cloud Tasks rejected the request: the task was not created.
    Rejected,
    /// There was no clear response; [`Error::may_have_taken_effect`] says whether the task may exist.
    Unavailable,
    /// The task ran in this process and failed.
    TaskFailed,
    /// The task ran in this process and [discarded](Discard) itself.
    TaskDiscarded,
    /// The task ran in this process and asked to be [run again later](RetryAfter).
    TaskRetryAfter,
    /// The task ran in this process and panicked.
    TaskPanicked,
    /// The task ran in this process and did not finish within its timeout; it was cancelled.
    TaskTimedOut,
    /// Another delivery has claimed the task, or an effect of it, and is still running. Nothing ran here.
    InProgress,
    /// The idempotency store failed, or there is none. The guarded task or effect did not run.
    IdempotencyStore,
}

impl Error {
    /// Creates an error of a kind, for code that implements a part of this library, such as a store.
    ///
    /// The error says that nothing took effect; use [`unavailable`](Self::unavailable) for calls whose effect is
    /// unknown.
    ///
    /// Control characters in the message are written as escapes.
    ///
    /// ```
    /// use cloud_tasks::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::IdempotencyStore, "the database did not answer")
    ///     .with_source(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    /// assert_eq!(error.kind(), ErrorKind::IdempotencyStore);
    /// assert!(!error.may_have_taken_effect());
    /// ```
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        // Errors quote callers and the cloud, and appear in logs and on terminals.
        let message = message.into();
        let message = match kind {
            // A list, one line for each.
            ErrorKind::Build => text::safe_lines(&message).into_owned(),
            _ => text::safe(&message).into_owned(),
        };
        Self {
            inner: Box::new(Inner {
                kind,
                message,
                help: None,
                may_have_taken_effect: false,
                source: None,
            }),
        }
    }

    /// Creates the error of a [`Backend`](crate::backend::Backend) that rejected a task: it was certainly not created.
    pub fn rejected(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Rejected, message)
    }

    /// Creates the error of a [`Backend`](crate::backend::Backend) that got no clear response: the call [may have taken
    /// effect](Self::may_have_taken_effect).
    ///
    /// ```
    /// use cloud_tasks::Error;
    ///
    /// assert!(Error::unavailable("the connection broke").may_have_taken_effect());
    /// assert!(!Error::unreachable("there is no connection").may_have_taken_effect());
    /// ```
    pub fn unavailable(message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Unavailable, message);
        error.inner.may_have_taken_effect = true;
        error
    }

    /// Creates the error of a [`Backend`](crate::backend::Backend) that could not be asked: nothing took effect, and a later
    /// call may succeed.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// Sets the cause of the error.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// Says what fixes the error, after the causes.
    #[cfg(feature = "google")]
    pub(crate) fn with_help(mut self, help: &str) -> Self {
        self.inner.help = Some(text::safe(help).into_owned());
        self
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message)
    }

    pub(crate) fn from_task(name: &str, error: TaskError) -> Self {
        match error {
            TaskError::Failed(source) => Self::new(
                ErrorKind::TaskFailed,
                format!("task {name} {}", AttemptText::Failed),
            )
            .with_source(source),
            TaskError::Discard(discard) => Self::new(
                ErrorKind::TaskDiscarded,
                format!("task {name} {}", AttemptText::Discarded),
            )
            .with_source(discard),
            TaskError::RetryAfter(retry) => Self::new(
                ErrorKind::TaskRetryAfter,
                format!("task {name} {}", AttemptText::AskedForRetry),
            )
            .with_source(retry),
        }
    }

    /// Extracts the outcome of a task that `sync()` ran, so that it survives a `?` in the calling task.
    pub(crate) fn into_outcome(mut self) -> TaskError {
        let Some(source) = self.inner.source.take() else {
            return TaskError::Failed(Box::new(self));
        };
        match self.inner.kind {
            ErrorKind::TaskDiscarded => match source.downcast::<Discard>() {
                Ok(discard) => return TaskError::Discard(*discard),
                Err(source) => self.inner.source = Some(source),
            },
            ErrorKind::TaskRetryAfter => match source.downcast::<RetryAfter>() {
                Ok(retry) => return TaskError::RetryAfter(*retry),
                Err(source) => self.inner.source = Some(source),
            },
            _ => self.inner.source = Some(source),
        }
        TaskError::Failed(Box::new(self))
    }

    /// Shortens a long list of causes to the first and the last. Tasks that run inside each other add a cause each, and a
    /// list of thousands would overflow the stack when it is dropped.
    pub(crate) fn shortened(mut self) -> Self {
        const LONGEST: usize = 8;
        let (mut count, mut last) = (0, None);
        let mut cause = self.source();
        while let Some(this) = cause {
            (count, last, cause) = (count + 1, Some(this), this.source());
        }
        if let Some(last) = last.filter(|_| count > LONGEST) {
            let last = last.to_string();
            self.inner.source = Some(last.into());
        }
        self
    }

    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Whether the call may have taken effect: the task may exist, the message may be published, the queue may be changed.
    ///
    /// `false` means that it certainly did not: nothing was sent, the service rejected it, or it was to be read. `true` means
    /// that a request was sent and its response was lost or inconclusive.
    pub fn may_have_taken_effect(&self) -> bool {
        self.inner.may_have_taken_effect
    }

    /// The HTTP status for a request that fails because of this error: 503 if a later request may succeed, otherwise 500.
    ///
    /// It is never a status that blames the client of the request. With feature `axum` an `Error` is a response with this status,
    /// with `Retry-After`, and without its text.
    ///
    /// ```
    /// use cloud_tasks::Error;
    ///
    /// assert_eq!(Error::unavailable("the connection broke").status(), 503);
    /// assert_eq!(Error::rejected("permission denied").status(), 500);
    /// ```
    pub fn status(&self) -> StatusCode {
        match self.retry_after() {
            Some(_) => StatusCode::SERVICE_UNAVAILABLE,
            None => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// After what time a retry may succeed, if it may: what a task [asked for](RetryAfter), otherwise one second.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloud_tasks::{Error, ErrorKind};
    ///
    /// let busy = Error::new(ErrorKind::InProgress, "another delivery runs");
    /// assert_eq!(busy.retry_after(), Some(Duration::from_secs(1)));
    /// ```
    pub fn retry_after(&self) -> Option<Duration> {
        const PAUSE: Duration = Duration::from_secs(1);
        match self.kind() {
            ErrorKind::TaskRetryAfter => {
                let asked = self
                    .source()
                    .and_then(|source| source.downcast_ref::<RetryAfter>());
                Some(asked.map_or(PAUSE, RetryAfter::delay))
            }
            ErrorKind::Unavailable | ErrorKind::InProgress | ErrorKind::IdempotencyStore => Some(PAUSE),
            _ => None,
        }
    }

    /// Whether a setting is invalid ([`ErrorKind::Config`]).
    pub fn is_config(&self) -> bool {
        self.kind() == ErrorKind::Config
    }

    /// Whether `build()` found errors ([`ErrorKind::Build`]).
    pub fn is_build(&self) -> bool {
        self.kind() == ErrorKind::Build
    }

    /// Whether no runtime was found ([`ErrorKind::NoRuntime`]).
    pub fn is_no_runtime(&self) -> bool {
        self.kind() == ErrorKind::NoRuntime
    }

    /// Whether the request was rejected before any call was made ([`ErrorKind::InvalidRequest`]).
    pub fn is_invalid_request(&self) -> bool {
        self.kind() == ErrorKind::InvalidRequest
    }

    /// Whether Cloud Tasks rejected the request ([`ErrorKind::Rejected`]).
    pub fn is_rejected(&self) -> bool {
        self.kind() == ErrorKind::Rejected
    }

    /// Whether Cloud Tasks gave no clear response ([`ErrorKind::Unavailable`]).
    pub fn is_unavailable(&self) -> bool {
        self.kind() == ErrorKind::Unavailable
    }

    /// Whether a task that ran in this process did not succeed, for any reason.
    pub fn is_task(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::TaskFailed
                | ErrorKind::TaskDiscarded
                | ErrorKind::TaskRetryAfter
                | ErrorKind::TaskPanicked
                | ErrorKind::TaskTimedOut
        )
    }

    /// Whether another delivery has claimed the task, or an effect of it ([`ErrorKind::InProgress`]).
    pub fn is_in_progress(&self) -> bool {
        self.kind() == ErrorKind::InProgress
    }

    /// Whether a task that ran in this process discarded itself ([`ErrorKind::TaskDiscarded`]).
    pub fn is_discarded(&self) -> bool {
        self.kind() == ErrorKind::TaskDiscarded
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)?;
        if f.alternate()
            && let Some(source) = self.source()
        {
            write!(f, ": {}", text::error_chain(source))?;
        }
        match &self.inner.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// Like `{:#}`, since `main` prints it. `{:#?}` shows all parts.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return write!(f, "{self:#}");
        }
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("message", &self.inner.message)
            .field("help", &self.inner.help)
            .field("may_have_taken_effect", &self.inner.may_have_taken_effect)
            .field("source", &self.inner.source.as_deref().map(SafeDebug))
            .finish()
    }
}

/// The `Debug` form of an error from elsewhere, which may write anything.
struct SafeDebug<'a>(&'a (dyn StdError + Send + Sync));

impl fmt::Debug for SafeDebug<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            f.write_str(&text::safe_lines(&format!("{:#?}", self.0)))
        } else {
            f.write_str(&text::safe(&format!("{:?}", self.0)))
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}
