//! The metadata of an attempt, from the headers of Cloud Tasks and Cloud Scheduler.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use crate::base::headers::{self, SeenHeaders};
use crate::base::{process, time};

static QUEUE_NAME: HeaderName = HeaderName::from_static("x-cloudtasks-queuename");
static TASK_NAME: HeaderName = HeaderName::from_static("x-cloudtasks-taskname");
static RETRY_COUNT: HeaderName = HeaderName::from_static("x-cloudtasks-taskretrycount");
static EXECUTION_COUNT: HeaderName = HeaderName::from_static("x-cloudtasks-taskexecutioncount");
static ETA: HeaderName = HeaderName::from_static("x-cloudtasks-tasketa");
static PREVIOUS_RESPONSE: HeaderName = HeaderName::from_static("x-cloudtasks-taskpreviousresponse");
static RETRY_REASON: HeaderName = HeaderName::from_static("x-cloudtasks-taskretryreason");
static SCHEDULER: HeaderName = HeaderName::from_static("x-cloudscheduler");
static JOB_NAME: HeaderName = HeaderName::from_static("x-cloudscheduler-jobname");
static SCHEDULE_TIME: HeaderName = HeaderName::from_static("x-cloudscheduler-scheduletime");
const IS_SCHEDULED: HeaderValue = HeaderValue::from_static("true");
/// Our own header for the timeout of a call. Cloud Tasks does not send the dispatch deadline to the handler.
static TIMEOUT: HeaderName = HeaderName::from_static(headers::TIMEOUT);
/// Our own header that tells one creation of a task from another with the same id.
static CREATION: HeaderName = HeaderName::from_static("x-cloud-tasks-creation");

/// The metadata of an attempt: the task's id, its queue and the number of the attempt.
///
/// Each value is read from the `X-CloudTasks-*` and `X-CloudScheduler-*` headers on access; a missing, blank or invalid
/// header is `None`. The headers prove nothing about the caller. Source: [Cloud Tasks, task request
/// headers](https://cloud.google.com/tasks/docs/creating-http-target-tasks#handler).
///
/// ```
/// use cloud_tasks::task::TaskMetadata;
///
/// let metadata = TaskMetadata::new().with_queue("emails").with_retry_count(2);
/// assert_eq!(metadata.queue(), Some("emails"));
/// assert_eq!(metadata.attempt(), 3);
/// assert_eq!(metadata.eta(), None);
/// ```
#[derive(Clone, Default)]
pub struct TaskMetadata {
    /// Shared with the scope of the task, and one pointer in each future on its way.
    inner: Arc<Inner>,
}

#[derive(Clone, Default)]
struct Inner {
    headers: HeaderMap,
    /// Whether it is known that no header sets a timeout, so that none is looked for.
    lacks_timeout: bool,
    /// Not a header: the runtime knows the limit of the task or of its queue.
    max_attempts: Option<u32>,
    /// The number of runs in the idempotency store.
    runs: Option<u32>,
    /// Whether the runtime knows this to be the last attempt or not.
    last: Option<bool>,
    /// When the runtime cancels this attempt.
    deadline: Option<Instant>,
}

impl TaskMetadata {
    /// Creates empty metadata, as for a task that runs without Cloud Tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates metadata from the headers of a request. The `Authorization` header is dropped.
    pub fn from_headers(mut headers: HeaderMap) -> Self {
        let seen = SeenHeaders::of(&mut headers);
        Self::from_seen(headers, seen)
    }

    /// The same, of headers that were looked through.
    pub(crate) fn from_seen(mut headers: HeaderMap, seen: SeenHeaders) -> Self {
        if seen.authorization {
            headers.remove(AUTHORIZATION);
        }
        let inner = Inner {
            headers,
            lacks_timeout: !seen.timeout,
            ..Inner::default()
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The request's headers, without `Authorization`.
    pub fn headers(&self) -> &HeaderMap {
        &self.inner.headers
    }

    /// The short name of the queue.
    pub fn queue(&self) -> Option<&str> {
        self.text(&QUEUE_NAME)
    }

    /// The short id of the task in its queue, as returned by [`Enqueued::id`](crate::task::Enqueued::id).
    pub fn id(&self) -> Option<&str> {
        self.text(&TASK_NAME)
    }

    /// The number of this attempt, starting at 1: the retry count plus one, or 1 if the count is unknown.
    ///
    /// Cloud Tasks counts deliveries: one that found no server, or was turned away, counts as well. For the number of runs
    /// see [`runs`](Self::runs).
    pub fn attempt(&self) -> u32 {
        self.retry_count().unwrap_or(0).saturating_add(1)
    }

    /// The maximum number of attempts, if the task sets it or this runtime has the settings of the task's queue.
    ///
    /// For a run of Cloud Scheduler it is `schedule_max_retries` plus one. Cloud Scheduler does not count its attempts,
    /// so the last attempt is known only if the schedule has no retries.
    pub fn max_attempts(&self) -> Option<u32> {
        self.inner.max_attempts
    }

    /// The number of this run, starting at 1, if the task is idempotent: its idempotency store counts the runs.
    ///
    /// A delivery that does not reach the task is no run. The task's own `max_attempts` counts runs if they are known.
    pub fn runs(&self) -> Option<u32> {
        self.inner.runs
    }

    /// Whether this is the last attempt; `false` if the maximum number of attempts is unknown.
    ///
    /// ```
    /// use cloud_tasks::task::TaskMetadata;
    ///
    /// let metadata = TaskMetadata::new().with_max_attempts(3);
    /// assert!(!metadata.clone().with_retry_count(1).is_last_attempt());
    /// assert!(metadata.with_retry_count(2).is_last_attempt());
    /// assert!(!TaskMetadata::new().with_retry_count(99).is_last_attempt());
    /// ```
    pub fn is_last_attempt(&self) -> bool {
        let reached = || self.inner.max_attempts.is_some_and(|max| self.attempt() >= max);
        self.inner.last.unwrap_or_else(reached)
    }

    /// How many attempts preceded this one, whatever their outcome.
    pub fn retry_count(&self) -> Option<u32> {
        self.number(&RETRY_COUNT)
    }

    /// How many earlier attempts got a response. Attempts that timed out or were answered with 5xx do not count.
    pub fn execution_count(&self) -> Option<u32> {
        self.number(&EXECUTION_COUNT)
    }

    /// When this attempt was due.
    pub fn eta(&self) -> Option<SystemTime> {
        time::from_epoch_seconds(self.text(&ETA)?)
    }

    /// The HTTP status of the previous attempt; 504 if it timed out.
    pub fn previous_response(&self) -> Option<u16> {
        self.number(&PREVIOUS_RESPONSE)
    }

    /// Why the task is retried, if Cloud Tasks says so.
    pub fn retry_reason(&self) -> Option<&str> {
        self.text(&RETRY_REASON)
    }

    /// Whether Cloud Scheduler made this request.
    pub fn is_scheduled(&self) -> bool {
        self.text(&SCHEDULER)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The Cloud Scheduler job that made this request.
    pub fn job_name(&self) -> Option<&str> {
        self.text(&JOB_NAME)
    }

    /// When the Cloud Scheduler job was due. Together with the job's name it identifies the run.
    pub fn schedule_time(&self) -> Option<SystemTime> {
        let time: jiff::Timestamp = self.text(&SCHEDULE_TIME)?.parse().ok()?;
        Some(time.into())
    }

    /// The timeout that the enqueueing call set.
    pub fn timeout(&self) -> Option<Duration> {
        if self.inner.lacks_timeout {
            return None;
        }
        Duration::try_from_secs_f64(self.number(&TIMEOUT)?).ok()
    }

    /// What tells this task from an earlier one with the same id, if it was enqueued with an id of its own.
    pub(crate) fn creation(&self) -> Option<&str> {
        self.text(&CREATION)
    }

    /// Sets the queue's name. A name that is not a valid header value leaves it unset.
    pub fn with_queue(self, queue: &str) -> Self {
        self.with(&QUEUE_NAME, queue)
    }

    /// Sets the task's id. An id that is not a valid header value leaves it unset.
    pub fn with_id(self, id: &str) -> Self {
        self.with(&TASK_NAME, id)
    }

    /// Sets how many attempts preceded this one.
    pub fn with_retry_count(mut self, count: u32) -> Self {
        self.make_mut().last = None;
        self.with(&RETRY_COUNT, &count.to_string())
    }

    /// Sets the maximum number of attempts.
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        let inner = self.make_mut();
        inner.max_attempts = Some(attempts);
        inner.last = None;
        self
    }

    /// Sets how many earlier attempts got a response.
    pub fn with_execution_count(self, count: u32) -> Self {
        self.with(&EXECUTION_COUNT, &count.to_string())
    }

    /// Sets the HTTP status of the previous attempt.
    pub fn with_previous_response(self, status: u16) -> Self {
        self.with(&PREVIOUS_RESPONSE, &status.to_string())
    }

    /// Sets when this attempt was due, with microsecond precision. A time before 1970 counts as 1970.
    pub fn with_eta(self, eta: SystemTime) -> Self {
        self.with(&ETA, &time::epoch_seconds(eta))
    }

    /// Sets the Cloud Scheduler job that made this request, and when it was due.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use cloud_tasks::task::TaskMetadata;
    ///
    /// let metadata = TaskMetadata::new().with_job("shop--Digest", SystemTime::UNIX_EPOCH);
    /// assert!(metadata.is_scheduled());
    /// assert_eq!(metadata.job_name(), Some("shop--Digest"));
    /// assert_eq!(metadata.schedule_time(), Some(SystemTime::UNIX_EPOCH));
    /// ```
    pub fn with_job(mut self, name: &str, schedule_time: SystemTime) -> Self {
        self.make_mut().headers.extend(job_headers(name, schedule_time));
        self
    }

    /// The queue and the id alone, to tell this task from others for longer than its request lives.
    pub(crate) fn identity(&self) -> Self {
        let mut identity = Self::new();
        if let Some(queue) = self.queue() {
            identity = identity.with_queue(queue);
        }
        match self.id() {
            Some(id) => identity.with_id(id),
            None => identity,
        }
    }

    /// When the runtime cancels this attempt, if it runs the task.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.inner.deadline
    }

    pub(crate) fn with_deadline(mut self, deadline: Instant) -> Self {
        self.make_mut().deadline = Some(deadline);
        self
    }

    /// Sets the number of runs, if they are counted, and whether this is the last attempt.
    pub(crate) fn with_count(mut self, runs: Option<u32>, last: bool) -> Self {
        let inner = self.make_mut();
        inner.runs = runs;
        inner.last = Some(last);
        self
    }

    pub(crate) fn with_headers(mut self, headers: HeaderMap) -> Self {
        let inner = self.make_mut();
        inner.lacks_timeout = false;
        inner.headers.extend(headers);
        self
    }

    /// The fields, for a change. They are copied only if somebody else has them too.
    fn make_mut(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.inner)
    }

    fn with(mut self, name: &HeaderName, value: &str) -> Self {
        let headers = &mut self.make_mut().headers;
        match HeaderValue::from_str(value) {
            Ok(value) => headers.insert(name, value),
            Err(_) => headers.remove(name),
        };
        self
    }

    /// The value of a header; one that is blank, or that has a tab inside, counts as missing.
    fn text(&self, name: &HeaderName) -> Option<&str> {
        let value = self.inner.headers.get(name)?;
        let bytes = value.as_bytes();
        if !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic) {
            return std::str::from_utf8(bytes).ok();
        }
        let text = value.to_str().ok()?.trim();
        (!text.is_empty() && !text.contains('\t')).then_some(text)
    }

    fn number<N: std::str::FromStr>(&self, name: &HeaderName) -> Option<N> {
        self.text(name)?.parse().ok()
    }
}

impl fmt::Debug for TaskMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskMetadata")
            .field("queue", &self.queue())
            .field("id", &self.id())
            .field("retry_count", &self.retry_count())
            .field("execution_count", &self.execution_count())
            .field("eta", &self.eta())
            .field("previous_response", &self.previous_response())
            .field("job_name", &self.job_name())
            .field("schedule_time", &self.schedule_time())
            .finish_non_exhaustive()
    }
}

/// The headers of a request from a Cloud Scheduler job.
pub(crate) fn job_headers(name: &str, time: SystemTime) -> HeaderMap {
    let time = time::rfc3339(time);
    let mut metadata = TaskMetadata::new()
        .with(&JOB_NAME, name)
        .with(&SCHEDULE_TIME, &time);
    let mut headers = std::mem::take(&mut metadata.make_mut().headers);
    headers.insert(&SCHEDULER, IS_SCHEDULED);
    headers
}

/// The header that tells this creation of a task from every other. A call that is repeated sends the same one.
pub(crate) fn creation_header() -> (HeaderName, HeaderValue) {
    let nonce = process::random_id().simple().to_string();
    // Hexadecimal digits are always a valid value.
    let value = HeaderValue::from_str(&nonce).unwrap_or_else(|_| HeaderValue::from_static("0"));
    (CREATION.clone(), value)
}

/// The header that tells the handler the timeout of a call.
pub(crate) fn timeout_header(timeout: Duration) -> (HeaderName, HeaderValue) {
    let text = timeout.as_secs_f64().to_string();
    let value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("0"));
    (TIMEOUT.clone(), value)
}
