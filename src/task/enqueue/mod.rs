//! The awaited builder that tasks return from `asap()` and `later(..)`.

mod unique;

pub(crate) use unique::unique_of;

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{Enqueued, Error, Invalid, json, names};
use crate::registry::schedule::ScheduleOptions;
use crate::registry::unique::Uniqueness;
use crate::registry::{Arguments, Declared, Registered};
use crate::runtime::{Outgoing, Request, RunAt, Runtime, Scope, SendOptions, Start, encode_error};
use crate::task::commit::Transactional;

/// A task to be enqueued; nothing happens until it is awaited.
///
/// The arguments are encoded when it is created; an encoding error or an invalid option is returned when it is awaited.
/// The runtime is resolved on first poll.
///
/// ```
/// use std::time::Duration;
/// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # struct ChargeRent { invoice: u64 }
/// # #[task]
/// # impl Task for ChargeRent {
/// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// # let (runtime, _recorder) = Runtime::recorded().build().await?;
/// let enqueued = ChargeRent { invoice: 7 }
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
    request: Request,
    runtime: Option<Runtime>,
}

impl Enqueue {
    /// A task with this body. An error in its parts is returned when it is awaited.
    pub(crate) fn new(
        registration: Declared,
        body: Result<Bytes, serde_json::Error>,
        unique: Result<Option<Box<Uniqueness>>, Error>,
    ) -> Self {
        let (body, unencoded) = match body {
            Ok(body) => (body, None),
            Err(error) => (Bytes::new(), Some(encode_error(registration.name, error))),
        };
        let mut request = Request::new(registration, body);
        let unkeyed = unique.map(|unique| request.set_unique(unique)).err();
        if let Some(error) = unencoded.or(unkeyed) {
            request.refuse(error);
        }
        Self {
            request,
            runtime: None,
        }
    }

    /// A task with these arguments.
    pub(crate) fn of<T: Registered + Serialize + DeserializeOwned>(task: &T) -> Self {
        Self::new(*T::__REGISTRATION.declared(), json::encode(task), unique_of(task))
    }

    /// A run of a schedule, with its headers.
    pub(crate) fn of_job(
        mut self,
        options: &'static ScheduleOptions,
        headers: Result<HeaderMap, Vec<Invalid>>,
    ) -> Self {
        self.request.set_job(options);
        match headers {
            Ok(headers) => self.request.options.add_headers(headers),
            Err(errors) => self.request.options.refuse(Invalid::join(&errors)),
        }
        self
    }

    pub(crate) fn at(mut self, when: RunAt) -> Self {
        self.request.options.start = Start::At(when);
        self
    }

    pub(crate) fn before(mut self, deadline: RunAt) -> Self {
        self.request.options.start = Start::Before(deadline);
        self
    }

    /// Replaces the options.
    pub(crate) fn with_options(mut self, options: SendOptions) -> Self {
        self.request.options = options;
        self
    }

    /// Sets the body, if it was not known when the builder was created.
    pub(crate) fn with_body(mut self, body: Bytes) -> Self {
        self.request.set_body(body);
        self
    }

    /// The runtime and the headers for this task.
    pub(crate) fn scope(&self) -> Result<Scope, Error> {
        Scope::of_or_current(self.runtime.as_ref())
    }

    /// Sets the queue, instead of the task's own or the default one.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.request.options.queue = Some(queue.into());
        self
    }

    /// Sets the task's id in its queue: letters, digits, `_` and `-`, at most 500 characters.
    ///
    /// A second task with the id is not created, which [`Enqueued::duplicate`] reports. The id stays blocked for up to
    /// 24 hours after the task has ended. Sequential ids slow a queue down; use a hash.
    pub fn task_id(mut self, id: impl Into<String>) -> Self {
        self.request.set_id(id.into());
        self
    }

    /// Adds a header to the task's request; it overrides a propagated one.
    ///
    /// Headers that Cloud Tasks sets or drops are rejected: `Authorization`, `Host`, `User-Agent` and similar, all that
    /// start with `X-CloudTasks-`, `X-Cloud-Tasks-`, `X-Google` or `X-AppEngine`, and values that are empty or longer
    /// than 8188 bytes.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.request.options.set_header(name.as_ref(), value.as_ref());
        self
    }

    /// Sets the timeout of one attempt, instead of the task's own or 10 minutes: 15 seconds to 30 minutes.
    ///
    /// After this time Cloud Tasks gives up the attempt, and the handler cancels it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.request.options.timeout = Some(timeout);
        self
    }

    /// Uses this runtime instead of the one in scope or installed.
    pub fn on(mut self, runtime: &Runtime) -> Self {
        self.runtime = Some(runtime.clone());
        self
    }

    /// Enqueues the task after a transaction has committed, and not at all if it does not commit.
    ///
    /// `tx` is a [`CommitHooks`](crate::commit::CommitHooks), or a transaction that has one. The runtime, the
    /// propagated headers and the time are captured now. A task without an [id](Self::task_id) gets one, so that
    /// sending it again is safe.
    ///
    /// # Errors
    ///
    /// If there is no runtime, or if the arguments or an option are invalid. `tx` is unchanged.
    pub fn on_commit(self, tx: &mut (impl Transactional + ?Sized)) -> Result<(), Error> {
        let scope = self.scope()?;
        let mut envelope = self.request.into_envelope(&scope)?;
        envelope.id.get_or_insert_with(names::random_task_id);
        tx.commit_hooks().add(scope, Outgoing::Task(Box::new(envelope)));
        Ok(())
    }

    pub(crate) async fn send(self) -> Result<Enqueued, Error> {
        let scope = self.scope()?;
        self.send_in(&scope).await
    }

    /// Enqueues the task inside this scope.
    pub(crate) async fn send_in(self, scope: &Scope) -> Result<Enqueued, Error> {
        self.request.send(scope).await
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
            .field("task", &self.request.task())
            .field("queue", &self.request.options.queue)
            .field("id", &self.request.id())
            .finish_non_exhaustive()
    }
}

/// Decodes arguments that somebody typed, and encodes them as a call does.
pub(crate) fn read_arguments<T>(json: &[u8]) -> Result<Arguments, String>
where
    T: Registered + Serialize + DeserializeOwned,
{
    let task: T = json::decode(json)?;
    Ok(Arguments {
        body: json::encode(&task).map_err(|error| error.to_string())?,
        unique: unique_of(&task),
    })
}
