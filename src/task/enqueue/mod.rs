//! What `asap()`, `later(..)`, `until(..)` and `sync()` return: awaited builders.

mod unique;

pub(crate) use unique::unique_of;

use std::fmt;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;
use tracing::Instrument;

use crate::base::error::{Error, ErrorKind};
use crate::base::json;
use crate::base::metadata::{job_headers, timeout_header};
use crate::base::names;
use crate::base::wire::envelope::{Enqueued, Envelope};
use crate::base::wire::headers::own_header;
use crate::base::wire::limits;
use crate::registry::schedule::ScheduleOptions;
use crate::registry::unique::Uniqueness;
use crate::registry::{Registered, Registration};
use crate::runtime::Runtime;
use crate::runtime::scope::Scope;
use crate::task::commit::{Outgoing, Transactional};

/// When a task is to run: a [`Duration`] from now, a [`SystemTime`] or an [`Instant`].
///
/// The times of `chrono` and `jiff` convert to `SystemTime` with `into()`.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use cloud_tasks::task::RunAt;
///
/// let soon: When = Duration::from_secs(60).into();
/// let instant: When = SystemTime::UNIX_EPOCH.into();
/// assert!(soon.at() > instant.at());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RunAt(Moment);

#[derive(Clone, Copy, Debug)]
enum Moment {
    After(Duration),
    At(SystemTime),
}

impl RunAt {
    /// The instant that is meant, counted from now; the end of time where it is too far away to be told.
    pub fn at(self) -> SystemTime {
        self.from(SystemTime::now())
    }

    /// The same, counted from this instant.
    pub(crate) fn from(self, now: SystemTime) -> SystemTime {
        match self.0 {
            // Beyond what the clock can tell is beyond every limit, so any far instant will do.
            Moment::After(delay) => now
                .checked_add(delay)
                .unwrap_or(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX) * 50)),
            Moment::At(instant) => instant,
        }
    }
}

impl From<Duration> for RunAt {
    fn from(delay: Duration) -> Self {
        Self(Moment::After(delay))
    }
}

impl From<SystemTime> for RunAt {
    fn from(instant: SystemTime) -> Self {
        Self(Moment::At(instant))
    }
}

impl From<Instant> for RunAt {
    fn from(instant: Instant) -> Self {
        Self(Moment::After(instant.saturating_duration_since(Instant::now())))
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Schedule {
    Now,
    At(RunAt),
    Before(RunAt),
}

/// A task that is about to be enqueued; nothing happens until it is awaited.
///
/// The arguments are encoded when it is made; an error of that, or of an option, comes out of the await. The runtime is
/// looked for when it is first polled.
///
/// ```standalone_crate
/// use std::time::Duration;
/// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # struct Charge { invoice: u64 }
/// # #[task]
/// # impl Task for Charge {
/// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// # let (runtime, _recorder) = Runtime::recorded().build().await?;
/// let enqueued = Charge { invoice: 7 }
///     .later(Duration::from_secs(60))
///     .queue("billing")
///     .task_id("invoice-7")
///     .header("x-request-id", "abc")
///     .timeout(Duration::from_secs(120))
///     .on(&runtime)
///     .await?;
/// assert_eq!((enqueued.queue(), enqueued.id()), ("billing", "invoice-7"));
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is enqueued until this is awaited"]
pub struct Enqueue {
    parts: Parts,
    /// What is wrong with it, which comes out of the await.
    error: Option<Error>,
    runtime: Option<Runtime>,
}

/// What a task is made of once nothing is wrong with it.
#[derive(Clone)]
pub(crate) struct Parts {
    registration: Registration,
    body: Bytes,
    schedule: Schedule,
    queue: Option<String>,
    id: Option<String>,
    /// What the id is made of, where none is given.
    unique: Option<Box<Uniqueness>>,
    timeout: Option<Duration>,
    headers: HeaderMap,
    /// Whose run this is to be, where it is one of a schedule.
    job: Option<&'static ScheduleOptions>,
}

impl Enqueue {
    /// A task of this body; what went wrong in making its parts comes out of the await.
    pub(crate) fn new(
        registration: Registration,
        body: Result<Bytes, serde_json::Error>,
        unique: Result<Option<Box<Uniqueness>>, Error>,
    ) -> Self {
        let (body, unencoded) = match body {
            Ok(body) => (body, None),
            Err(error) => (Bytes::new(), Some(encode_error(registration.name, error))),
        };
        let (unique, unkeyed) = match unique {
            Ok(unique) => (unique, None),
            Err(error) => (None, Some(error)),
        };
        Self {
            parts: Parts {
                registration,
                body,
                schedule: Schedule::Now,
                queue: None,
                id: None,
                unique,
                timeout: None,
                headers: HeaderMap::new(),
                job: None,
            },
            error: unencoded.or(unkeyed),
            runtime: None,
        }
    }

    /// A task of these arguments.
    pub(crate) fn of<T: Registered + Serialize>(task: &T) -> Self {
        Self::new(T::__REGISTRATION, json::encode(task), unique_of(task))
    }

    /// The run of a schedule, with its headers.
    pub(crate) fn of_job(
        mut self,
        options: &'static ScheduleOptions,
        headers: Result<HeaderMap, Vec<String>>,
    ) -> Self {
        self.parts.job = Some(options);
        match headers {
            Ok(headers) => self.parts.headers = headers,
            Err(errors) => {
                let task = self.parts.registration.name;
                let error = format!("task {task} was not enqueued: {}", errors.join("; "));
                self.error.get_or_insert(Error::invalid(error));
            }
        }
        self
    }

    pub(crate) fn at(mut self, when: RunAt) -> Self {
        self.parts.schedule = Schedule::At(when);
        self
    }

    pub(crate) fn before(mut self, deadline: RunAt) -> Self {
        self.parts.schedule = Schedule::Before(deadline);
        self
    }

    pub(crate) fn scheduled_for(mut self, schedule: Schedule) -> Self {
        self.parts.schedule = schedule;
        self
    }

    /// Adds headers that were looked at before.
    pub(crate) fn with_headers(mut self, headers: &HeaderMap) -> Self {
        let headers = headers.iter();
        self.parts
            .headers
            .extend(headers.map(|(name, value)| (name.clone(), value.clone())));
        self
    }

    /// Lets this come out of the await, unless something else does.
    pub(crate) fn refused(mut self, mistake: Error) -> Self {
        self.error.get_or_insert(mistake);
        self
    }

    /// Replaces the body, which was not known when the builder was made.
    pub(crate) fn with_body(mut self, body: Bytes) -> Self {
        self.parts.body = body;
        self
    }

    /// The runtime and the headers that this is enqueued with.
    pub(crate) fn scope(&self) -> Result<Scope, Error> {
        match &self.runtime {
            Some(runtime) => Ok(Scope::of(runtime)),
            None => Scope::current(),
        }
    }

    /// Sends it to this queue, instead of the task's own or the default one.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.parts.queue = Some(queue.into());
        self
    }

    /// Gives the task an id in its queue: letters, digits, `_` and `-`, at most 500.
    ///
    /// A second task of that id is not created; [`Enqueued::duplicate`] tells. The id stays blocked for up to 24 hours
    /// after the task ended. Ids that follow one another slow a queue down; hash what they are made of.
    pub fn task_id(mut self, id: impl Into<String>) -> Self {
        self.parts.id = Some(id.into());
        self
    }

    /// Adds a header to the request that the task comes back as; it wins over a propagated one.
    ///
    /// Refused are those that Cloud Tasks sets or drops: `Authorization`, `Host`, `User-Agent` and the like, all that start
    /// with `X-CloudTasks-`, `X-Google` or `X-AppEngine`, and one that is empty or has more than 8188 bytes.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        match own_header(name.as_ref(), value.as_ref()) {
            Ok((name, value)) => {
                self.parts.headers.insert(name, value);
            }
            Err(mistake) => {
                let task = self.parts.registration.name;
                let mistake = Error::invalid(format!("task {task} was not enqueued: {mistake}"));
                self.error.get_or_insert(mistake);
            }
        }
        self
    }

    /// Adds a header that came with a message, unless a task cannot have it: whoever publishes must not be able to make a
    /// message that is never taken.
    pub(crate) fn carried_header(mut self, name: &HeaderName, value: &HeaderValue) -> Self {
        let own = value
            .to_str()
            .ok()
            .and_then(|value| own_header(name.as_str(), value).ok());
        self.parts.headers.extend(own);
        self
    }

    /// Sets how long one attempt may take, instead of the task's own timeout or 10 minutes: 15 seconds to 30 minutes.
    ///
    /// Cloud Tasks gives an attempt up then, and the handler cancels it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.parts.timeout = Some(timeout);
        self
    }

    /// Uses this runtime, whichever is in scope or installed.
    pub fn on(mut self, runtime: &Runtime) -> Self {
        self.runtime = Some(runtime.clone());
        self
    }

    /// Enqueues the task once a transaction has committed, and not at all if it does not.
    ///
    /// `tx` is a [`CommitHooks`](crate::commit::CommitHooks), or a transaction that has one. The runtime, the propagated headers and
    /// the time are settled now. A task without an [id](Self::task_id) gets one, so that it can be sent again safely.
    ///
    /// # Errors
    ///
    /// When there is no runtime, or when something is wrong with the arguments or an option. `tx` is as it was.
    pub fn on_commit(self, tx: &mut (impl Transactional + ?Sized)) -> Result<(), Error> {
        let scope = self.scope()?;
        if let Some(mistake) = self.error {
            return Err(mistake);
        }
        let mut envelope = self.parts.into_envelope(&scope)?;
        envelope.id.get_or_insert_with(names::random_task_id);
        tx.commit_hooks().add(scope, Outgoing::Task(Box::new(envelope)));
        Ok(())
    }

    pub(crate) async fn send(self) -> Result<Enqueued, Error> {
        let scope = self.scope()?;
        self.send_in(&scope).await
    }

    /// Enqueues the task in this scope, whichever it is in.
    pub(crate) async fn send_in(self, scope: &Scope) -> Result<Enqueued, Error> {
        match self.error {
            Some(mistake) => Err(mistake),
            None => self.parts.send(scope).await,
        }
    }
}

impl Parts {
    /// Enqueues the task with the runtime and the headers of a scope.
    pub(crate) async fn send(self, scope: &Scope) -> Result<Enqueued, Error> {
        let envelope = self.into_envelope(scope)?;
        scope.runtime.enqueue(envelope).await
    }

    fn into_envelope(self, scope: &Scope) -> Result<Envelope, Error> {
        let config = scope.runtime.config();
        let name = self.registration.name;
        let mut headers = scope.headers.as_deref().cloned().unwrap_or_default();
        for own in self.headers.keys() {
            headers.remove(own);
        }
        headers.extend(self.headers);
        if !headers.contains_key(header::CONTENT_TYPE) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let now = scope.runtime.now();
        if let Some(options) = self.job {
            headers.extend(job_headers(&options.job_name(name, config), now));
        }
        if let Some(timeout) = self.timeout {
            headers.extend([timeout_header(timeout)]);
        }
        let queue = self.queue.unwrap_or_else(|| {
            self.registration
                .queue
                .unwrap_or(config.default_queue())
                .to_owned()
        });
        let id = match (self.id, &self.unique) {
            (None, Some(unique)) => Some(unique::id(name, unique, &self.body, now)?),
            (given, _) => given,
        };
        let envelope = Envelope {
            task: name.into(),
            queue,
            id,
            url: config.task_url(name),
            body: self.body,
            headers,
            schedule_time: self.schedule.time(now, limits::max_ahead(config)),
            timeout: self.timeout.or(self.registration.timeout),
        };
        limits::check(&envelope, config, now)?;
        Ok(envelope)
    }
}

impl Runtime {
    /// Hands a task to the backend, and gives back its receipt.
    pub(crate) async fn enqueue(&self, envelope: Envelope) -> Result<Enqueued, Error> {
        let span = tracing::info_span!(
            "enqueue",
            task = envelope.task(),
            queue = envelope.queue(),
            id = tracing::field::Empty,
        );
        let enqueue = async {
            let result = self.backend().enqueue(envelope).await;
            match &result {
                Ok(enqueued) => {
                    tracing::Span::current().record("id", enqueued.id());
                    tracing::debug!(duplicate = enqueued.duplicate(), "enqueued");
                }
                Err(error) => tracing::warn!(%error, "not enqueued"),
            }
            result
        };
        enqueue.instrument(span).await
    }
}

/// Arguments or content that JSON cannot hold.
pub(crate) fn encode_error(name: &str, error: serde_json::Error) -> Error {
    Error::new(
        ErrorKind::Encode,
        format!("the arguments of task {name} do not serialize to JSON"),
    )
    .with_source(error)
}

impl Schedule {
    /// The instant of this schedule, unless it is now or past.
    fn time(self, now: SystemTime, max_ahead: Duration) -> Option<SystemTime> {
        match self {
            Self::Now => None,
            Self::At(when) => Some(when.from(now)).filter(|time| *time > now),
            Self::Before(deadline) => {
                let longest = deadline
                    .from(now)
                    .duration_since(now)
                    .unwrap_or_default()
                    .min(max_ahead);
                let delay = longest.mul_f64(fastrand::f64());
                (!delay.is_zero()).then(|| now + delay)
            }
        }
    }
}

impl IntoFuture for Enqueue {
    type Output = Result<Enqueued, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for Enqueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enqueue")
            .field("task", &self.parts.registration.name)
            .field("queue", &self.parts.queue)
            .field("id", &self.parts.id)
            .finish_non_exhaustive()
    }
}
