//! A task in a queue.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Uri};
use serde::de::DeserializeOwned;

use crate::base::error::{Error, ErrorKind};
use crate::base::json;
use crate::base::metadata::TaskMetadata;
use crate::base::names;

/// A task in a queue: it waits for its time or its next attempt, or it is running.
///
/// The `Debug` output omits the arguments and the values of the headers; the JSON form (`Serialize`) has both.
///
/// ```
/// use std::time::Duration;
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct ChargeCard { invoice: u64 }
///
/// #[task(queue = "billing")]
/// impl Task for ChargeCard {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (runtime, _recorder) = Runtime::recorded().build().await?;
/// let enqueued = ChargeCard { invoice: 7 }.later(Duration::from_secs(3600)).on(&runtime).await?;
///
/// let task = runtime.queue("billing").get(enqueued.id()).await?.ok_or("no longer in the queue")?;
/// assert_eq!((task.id(), task.queue()), (enqueued.id(), "billing"));
/// assert_eq!((task.task(), task.attempts()), (Some("ChargeCard"), 0));
/// assert_eq!(task.arguments::<ChargeCard>()?.invoice, 7);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct QueuedTask {
    parts: QueuedTaskParts,
    /// The last segment of the URL; see [`task_name`].
    task: Option<String>,
}

/// What a backend knows of a task in a queue.
#[derive(Clone)]
pub(crate) struct QueuedTaskParts {
    pub id: String,
    pub queue: String,
    pub url: String,
    pub headers: HeaderMap,
    /// `None` if the task was requested without its body.
    pub body: Option<Bytes>,
    pub schedule_time: Option<SystemTime>,
    pub create_time: Option<SystemTime>,
    pub timeout: Option<Duration>,
    pub attempts: u32,
    pub responses: u32,
    pub last_attempt: Option<LastAttempt>,
    /// Set if the task has a limit of its own instead of its queue's.
    pub max_attempts: Option<u32>,
}

/// The last attempt of a [`QueuedTask`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastAttempt {
    /// When it was dispatched.
    pub dispatch_time: Option<SystemTime>,
    /// When its response arrived; `None` while it is in progress.
    pub response_time: Option<SystemTime>,
    /// The service's description of the response, such as `UNAVAILABLE(14): HTTP status code 503`.
    pub status: Option<String>,
}

impl LastAttempt {
    /// The HTTP status of the response, if the service reports one.
    ///
    /// ```
    /// # use cloud_tasks::Runtime;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// # let runtime = Runtime::eager().build().await?;
    /// let mut tasks = runtime.queue("emails").list();
    /// while let Some(task) = tasks.try_next().await? {
    ///     println!("{}: {:?}", task.id(), task.last_attempt().and_then(|attempt| attempt.http_status()));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn http_status(&self) -> Option<u16> {
        let (_, code) = self.status.as_deref()?.split_once("HTTP status code ")?;
        code.get(..3)?.parse().ok()
    }
}

impl QueuedTask {
    pub(crate) fn new(parts: QueuedTaskParts) -> Self {
        let task = task_name(&parts.url);
        Self { parts, task }
    }

    /// Its id in its queue.
    pub fn id(&self) -> &str {
        &self.parts.id
    }

    /// The short name of its queue.
    pub fn queue(&self) -> &str {
        &self.parts.queue
    }

    /// The name of its task, from the end of its URL (`/tasks/{name}`), whichever service that is; `None` for any other
    /// URL.
    pub fn task(&self) -> Option<&str> {
        self.task.as_deref()
    }

    /// The URL that it is dispatched to.
    pub fn url(&self) -> &str {
        &self.parts.url
    }

    /// The encoded arguments; `None` if the task was listed without them.
    pub fn body(&self) -> Option<&[u8]> {
        self.parts.body.as_deref()
    }

    /// Decodes its arguments.
    ///
    /// # Errors
    ///
    /// If the task was listed without them, or if they do not decode. The message names the field and contains no
    /// value.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let body = self.body().ok_or_else(|| {
            Error::invalid(format!(
                "task {} of queue {} was listed without its arguments: remove `without_arguments()`, or use `get(..)`",
                self.parts.id, self.parts.queue
            ))
        })?;
        json::decode(body).map_err(|reason| {
            let task = self.task().unwrap_or("?");
            let message = format!(
                "the arguments of task {task} ({} of queue {}) do not decode: {reason}",
                self.parts.id, self.parts.queue
            );
            Error::new(ErrorKind::Decode, message)
        })
    }

    /// The headers that it is dispatched with, besides those that Cloud Tasks adds to each attempt.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// When its next attempt is due.
    pub fn schedule_time(&self) -> Option<SystemTime> {
        self.parts.schedule_time
    }

    /// When it was created, with a precision of one second.
    pub fn create_time(&self) -> Option<SystemTime> {
        self.parts.create_time
    }

    /// The timeout of one attempt.
    pub fn timeout(&self) -> Option<Duration> {
        self.parts.timeout
    }

    /// The number of dispatches, including one in progress.
    pub fn attempts(&self) -> u32 {
        self.parts.attempts
    }

    /// The number of attempts that got a response. Attempts that timed out or were answered with 5xx do not count.
    pub fn responses(&self) -> u32 {
        self.parts.responses
    }

    /// The last attempt, if there was one.
    pub fn last_attempt(&self) -> Option<&LastAttempt> {
        self.parts.last_attempt.as_ref()
    }

    /// The encoded arguments; empty if the task was listed without them.
    pub(crate) fn into_body(self) -> Bytes {
        self.parts.body.unwrap_or_default()
    }

    /// The metadata of its next attempt.
    pub(crate) fn metadata(&self) -> TaskMetadata {
        let mut metadata = TaskMetadata::from_headers(self.parts.headers.clone())
            .with_queue(&self.parts.queue)
            .with_id(&self.parts.id)
            .with_retry_count(self.parts.attempts)
            .with_execution_count(self.parts.responses);
        if let Some(eta) = self.parts.schedule_time {
            metadata = metadata.with_eta(eta);
        }
        if let Some(status) = self
            .parts
            .last_attempt
            .as_ref()
            .and_then(LastAttempt::http_status)
        {
            metadata = metadata.with_previous_response(status);
        }
        if let Some(attempts) = self.parts.max_attempts {
            metadata = metadata.with_max_attempts(attempts);
        }
        metadata
    }
}

/// The name at the end of a URL, if it is the URL of a task.
fn task_name(url: &str) -> Option<String> {
    let (front, name) = path(url)?.rsplit_once('/')?;
    (front.ends_with("/tasks") && !name.is_empty())
        .then(|| names::decode_segment(name).map(Cow::into_owned))
        .flatten()
}

/// The path of a URL, if it has one.
fn path(url: &str) -> Option<&str> {
    url.parse::<Uri>().ok()?;
    let (_, rest) = url.split_once("://")?;
    let path = &rest[rest.find('/')?..];
    path.split(['?', '#']).next()
}

impl fmt::Debug for QueuedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedTask")
            .field("id", &self.parts.id)
            .field("queue", &self.parts.queue)
            .field("url", &self.parts.url)
            .field("body_bytes", &self.parts.body.as_ref().map(Bytes::len))
            .field("headers", &self.parts.headers.keys().collect::<Vec<_>>())
            .field("schedule_time", &self.parts.schedule_time)
            .field("attempts", &self.parts.attempts)
            .field("last_attempt", &self.parts.last_attempt)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_name_is_the_one_segment_under_tasks_whoever_is_called() {
        for (url, name) in [
            ("https://shop.example/tasks/Send", Some("Send")),
            ("https://shop.example/jobs/tasks/Send?x=/tasks/y", Some("Send")),
            ("http://[::1]:8080/tasks/a%2Fb", Some("a/b")),
            ("https://shop.example/tasks/a%252Fb", Some("a%2Fb")),
            ("https://shop.example/tasks/Send/", None),
            ("https://shop.example/tasks/", None),
            ("https://shop.example/mytasks/Send", None),
            ("https://shop.example/tasks/%FF", None),
            ("https://tasks/Send", None),
            ("/tasks/Send", None),
            ("", None),
        ] {
            assert_eq!(task_name(url).as_deref(), name, "{url}");
        }
    }

    proptest! {
        #[test]
        fn every_name_is_found_again_in_its_url(name in "\\PC{1,40}", base in "(/[a-z]{1,8}){0,3}") {
            let url = format!("https://shop.example{base}/tasks/{}", names::encode_segment(&name));
            let found = task_name(&url);
            prop_assert_eq!(found.as_deref(), Some(name.as_str()));
        }

        #[test]
        fn no_url_makes_reading_it_panic(url in "\\PC*") {
            let _ = task_name(&url);
        }
    }
}
