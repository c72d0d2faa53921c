//! A task that is in a queue.

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

/// A task that is in a queue: it waits for its time or its next attempt, or is being tried.
///
/// Its `Debug` form leaves out the arguments and the values of the headers; its JSON form (`Serialize`) has both.
///
/// ```standalone_crate
/// use std::time::Duration;
/// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Charge { invoice: u64 }
///
/// #[task(queue = "billing")]
/// impl Task for Charge {
///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (runtime, engine) = Runtime::local().build().await?;
/// let enqueued = Charge { invoice: 7 }.later(Duration::from_secs(3600)).on(&runtime).await?;
///
/// let task = runtime.queue("billing").get(enqueued.id()).await?.ok_or("it is not there")?;
/// assert_eq!((task.id(), task.queue()), (enqueued.id(), "billing"));
/// assert_eq!((task.task(), task.attempts()), (Some("Charge"), 0));
/// assert_eq!(task.arguments::<Charge>()?.invoice, 7);
/// # engine.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct QueuedTask {
    pub(crate) id: String,
    pub(crate) queue: String,
    pub(crate) url: String,
    /// The name at the end of the URL; see [`task_name`].
    pub(crate) task: Option<String>,
    pub(crate) headers: HeaderMap,
    /// `None` where the task was asked for without it.
    pub(crate) body: Option<Bytes>,
    pub(crate) schedule_time: Option<SystemTime>,
    pub(crate) create_time: Option<SystemTime>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) attempts: u32,
    pub(crate) responses: u32,
    pub(crate) last_attempt: Option<LastAttempt>,
    /// Where the task has a number of its own, and does not go by that of its queue.
    pub(crate) max_attempts: Option<u32>,
}

/// What is known of the last attempt of a [`QueuedTask`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastAttempt {
    /// When it was sent.
    pub dispatch_time: Option<SystemTime>,
    /// When its answer came; none while it is under way.
    pub response_time: Option<SystemTime>,
    /// What the service says of its answer, such as `UNAVAILABLE(14): HTTP status code 503`.
    pub status: Option<String>,
}

impl LastAttempt {
    /// The HTTP status of its answer, where the service tells one.
    ///
    /// ```standalone_crate
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
    /// Its id in its queue.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The short name of its queue.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The name of the task that it is for, as the end of its URL has it (`/tasks/{name}`), whichever service that is of;
    /// `None` for a URL of another kind.
    pub fn task(&self) -> Option<&str> {
        self.task.as_deref()
    }

    /// Where it is sent.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its arguments as they travel; `None` where the task was listed without them.
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// Its arguments, as the type that they are of.
    ///
    /// # Errors
    ///
    /// When the task was listed without them, or when they do not decode; the message names the field, and no value.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let body = self.body().ok_or_else(|| {
            Error::invalid(format!(
                "task {} of queue {} was listed without its arguments: leave `without_arguments()` away, or `get(..)` it",
                self.id, self.queue
            ))
        })?;
        json::decode(body).map_err(|mistake| {
            let task = self.task().unwrap_or("?");
            let message = format!(
                "the arguments of task {task} ({} of queue {}) do not decode: {mistake}",
                self.id, self.queue
            );
            Error::new(ErrorKind::Decode, message)
        })
    }

    /// The headers that it is sent with, besides those that Cloud Tasks adds to every attempt.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// When it is to be tried next.
    pub fn schedule_time(&self) -> Option<SystemTime> {
        self.schedule_time
    }

    /// When it was made, to the second.
    pub fn create_time(&self) -> Option<SystemTime> {
        self.create_time
    }

    /// How long one attempt may take.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// How often it was sent, one that is under way included.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How often it got an answer; attempts that timed out or answered 5xx are not counted.
    pub fn responses(&self) -> u32 {
        self.responses
    }

    /// The last attempt, where there was one.
    pub fn last_attempt(&self) -> Option<&LastAttempt> {
        self.last_attempt.as_ref()
    }

    /// What its next attempt would be told.
    pub(crate) fn metadata(&self) -> TaskMetadata {
        let mut metadata = TaskMetadata::from_headers(self.headers.clone())
            .with_queue(&self.queue)
            .with_id(&self.id)
            .with_retry_count(self.attempts)
            .with_execution_count(self.responses);
        if let Some(eta) = self.schedule_time {
            metadata = metadata.with_eta(eta);
        }
        if let Some(status) = self.last_attempt.as_ref().and_then(LastAttempt::http_status) {
            metadata = metadata.with_previous_response(status);
        }
        if let Some(attempts) = self.max_attempts {
            metadata = metadata.with_max_attempts(attempts);
        }
        metadata
    }
}

/// The name that a URL ends with, where it is one of a task.
pub(crate) fn task_name(url: &str) -> Option<String> {
    let (front, name) = path(url)?.rsplit_once('/')?;
    (front.ends_with("/tasks") && !name.is_empty())
        .then(|| names::decode_segment(name).map(Cow::into_owned))
        .flatten()
}

/// The path of a URL that has one.
fn path(url: &str) -> Option<&str> {
    url.parse::<Uri>().ok()?;
    let (_, rest) = url.split_once("://")?;
    let path = &rest[rest.find('/')?..];
    path.split(['?', '#']).next()
}

impl fmt::Debug for QueuedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedTask")
            .field("id", &self.id)
            .field("queue", &self.queue)
            .field("url", &self.url)
            .field("body_bytes", &self.body.as_ref().map(Bytes::len))
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("schedule_time", &self.schedule_time)
            .field("attempts", &self.attempts)
            .field("last_attempt", &self.last_attempt)
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
