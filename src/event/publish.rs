//! The awaited builders that publishers return from `asap()`, `later(..)`, `spread_until(..)` and `sync()`.

use std::any::type_name;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{Enqueued, Error, Publication};
use crate::event::Event;
use crate::event::draft::Draft;
use crate::event::format::Format;
use crate::registry::Registered;
use crate::runtime::{Outgoing, RunAt, Runtime, Scope};
use crate::task::commit::Transactional;
use crate::task::enqueue::{Enqueue, unique_of};

/// The setters of a message, for a builder with a `draft`. An error of the content is returned when it is awaited.
macro_rules! message_setters {
    () => {
        /// Adds an attribute, and replaces an earlier one with the same key.
        pub fn attribute(self, key: impl Into<String>, value: impl Into<String>) -> Self {
            self.attributes([(key.into(), value.into())])
        }

        /// Adds attributes, and replaces earlier ones with the same keys.
        pub fn attributes(mut self, attributes: impl IntoIterator<Item = (String, String)>) -> Self {
            if let Ok(draft) = &mut self.draft {
                draft.attributes.extend(attributes);
            }
            self
        }

        /// Publishes only the attributes, with empty data; there must be at least one.
        ///
        /// A subscriber decodes empty data as a struct without fields or as `None`; its `parse` may do more.
        pub fn without_content(mut self) -> Self {
            if let Ok(draft) = &mut self.draft {
                draft.remove_content();
            }
            self
        }

        /// Sets the ordering key, for subscriptions with ordering.
        pub fn ordering_key(mut self, key: impl Into<String>) -> Self {
            if let Ok(draft) = &mut self.draft {
                draft.ordering_key = Some(key.into()).filter(|key| !key.is_empty());
            }
            self
        }
    };
}

/// A message to be published by a task; nothing happens until it is awaited.
///
/// The task publishes when it comes back to this service. If Pub/Sub is unavailable, the message is delayed but not
/// lost.
///
/// ```
/// use cloud_tasks::{PublisherTask, Runtime, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct ProfileChanged { user_id: u64 }
///
/// #[task(topic = "profile-changes")]
/// impl PublisherTask for ProfileChanged {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// ProfileChanged { user_id: 7 }.asap().attribute("priority", "high").ordering_key("user-7").on(&runtime).await?;
/// assert_eq!(
///     recorder.envelopes()[0].body(),
///     br#"{"message":{"user_id":7},"attributes":{"priority":"high"},"ordering_key":"user-7"}"#,
/// );
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is published until this is awaited"]
pub struct Publish {
    draft: Result<Draft, Error>,
    enqueue: Enqueue,
}

impl Publish {
    /// A task that publishes this event. Its body is built when the runtime is known.
    pub(super) fn new<T: Registered>(event: &T, draft: Result<Draft, Error>) -> Self {
        Self {
            draft,
            enqueue: Enqueue::new(*T::__REGISTRATION.declared(), Ok(Bytes::new()), unique_of(event)),
        }
    }

    pub(super) fn at(mut self, when: RunAt) -> Self {
        self.enqueue = self.enqueue.at(when);
        self
    }

    pub(super) fn before(mut self, deadline: RunAt) -> Self {
        self.enqueue = self.enqueue.before(deadline);
        self
    }

    /// The same message, to be published from this process without a task.
    pub(super) fn into_now(self) -> PublishNow {
        PublishNow::new(self.draft)
    }

    message_setters!();

    /// Sets the queue, instead of the publisher's own or the default one.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.enqueue = self.enqueue.queue(queue);
        self
    }

    /// Sets the task's id in its queue; see [`Enqueue::task_id`].
    pub fn task_id(mut self, id: impl Into<String>) -> Self {
        self.enqueue = self.enqueue.task_id(id);
        self
    }

    /// Sets the unique key of the task; see [`Enqueue::unique_key`].
    pub fn unique_key(mut self, key: impl Serialize) -> Self {
        self.enqueue = self.enqueue.unique_key(key);
        self
    }

    /// Makes the task unique within a time window; see [`Enqueue::unique_for`].
    pub fn unique_for(mut self, window: Duration) -> Self {
        self.enqueue = self.enqueue.unique_for(window);
        self
    }

    /// Adds a header to the task's request; see [`Enqueue::header`].
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.enqueue = self.enqueue.header(name, value);
        self
    }

    /// Sets the timeout of one attempt to publish; see [`Enqueue::timeout`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.enqueue = self.enqueue.timeout(timeout);
        self
    }

    /// Uses this runtime instead of the one in scope or installed.
    pub fn on(mut self, runtime: &Runtime) -> Self {
        self.enqueue = self.enqueue.on(runtime);
        self
    }

    /// Enqueues the task after a transaction has committed, and not at all if it does not commit; see
    /// [`Enqueue::on_commit`].
    ///
    /// # Errors
    ///
    /// If there is no runtime, or if the message or an option is invalid. `tx` is unchanged.
    pub fn on_commit(self, tx: &mut (impl Transactional + ?Sized)) -> Result<(), Error> {
        let scope = self.enqueue.scope()?;
        let body = self.draft?.body(&scope)?;
        self.enqueue.with_body(body).on_commit(tx)
    }

    async fn send(self) -> Result<Enqueued, Error> {
        let scope = self.enqueue.scope()?;
        let body = self.draft?.body(&scope)?;
        self.enqueue.with_body(body).send().await
    }
}

impl IntoFuture for Publish {
    type Output = Result<Enqueued, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publish")
            .field("enqueue", &self.enqueue)
            .finish_non_exhaustive()
    }
}

/// A message to be published from this process; nothing happens until it is awaited.
///
/// Returns the message's id.
#[must_use = "nothing is published until this is awaited"]
pub struct PublishNow {
    draft: Result<Draft, Error>,
    runtime: Option<Runtime>,
}

impl PublishNow {
    pub(super) fn new(draft: Result<Draft, Error>) -> Self {
        Self { draft, runtime: None }
    }

    message_setters!();

    /// Uses this runtime instead of the one in scope or installed.
    pub fn on(mut self, runtime: &Runtime) -> Self {
        self.runtime = Some(runtime.clone());
        self
    }

    /// Publishes the message from this process after a transaction has committed, and not at all if it does not commit.
    ///
    /// `tx` is a [`CommitHooks`](crate::commit::CommitHooks), or a transaction that has one. The runtime and the
    /// propagated headers are captured now. A message has no id before it is published: if it is sent again after an
    /// unclear response, it may arrive twice.
    ///
    /// # Errors
    ///
    /// If there is no runtime, or if the message is invalid. `tx` is unchanged.
    pub fn on_commit(self, tx: &mut (impl Transactional + ?Sized)) -> Result<(), Error> {
        let scope = self.scope()?;
        let publication = self.draft?.publication(&scope)?;
        tx.commit_hooks().add(scope, Outgoing::Message(publication));
        Ok(())
    }

    fn scope(&self) -> Result<Scope, Error> {
        Scope::of_or_current(self.runtime.as_ref())
    }

    fn prepare(self) -> Result<(Runtime, Publication), Error> {
        let scope = self.scope()?;
        let publication = self.draft?.publication(&scope)?;
        Ok((scope.runtime, publication))
    }

    async fn send(self) -> Result<String, Error> {
        let (runtime, publication) = self.prepare()?;
        runtime.send_message(publication).await
    }
}

impl IntoFuture for PublishNow {
    type Output = Result<String, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for PublishNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = self.draft.as_ref().ok().map(|draft| draft.task);
        f.debug_struct("PublishNow")
            .field("task", &task)
            .finish_non_exhaustive()
    }
}

/// Publishes an event of any crate from this process: one line, and no publisher is registered.
///
/// The content travels as JSON, with the topic of [`Event`]. A type with a [`PublisherTask`](crate::PublisherTask) has
/// `sync()` for this, which also uses its `encode` and its place of headers.
///
/// ```
/// use cloud_tasks::event::{Topic, publish};
/// use cloud_tasks::{Event, Runtime};
/// use serde::{Deserialize, Serialize};
///
/// // In a crate that services share.
/// #[derive(Serialize, Deserialize)]
/// struct SeatBooked { seat: u32 }
///
/// impl Event for SeatBooked {
///     fn topic() -> Topic {
///         Topic::new("seats").of_app("theatre")
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// publish(SeatBooked { seat: 7 }).attribute("hall", "2").on(&runtime).await?;
/// assert_eq!(recorder.publications()[0].topic(), "theatre--seats");
/// # Ok(())
/// # }
/// ```
#[expect(
    clippy::needless_pass_by_value,
    reason = "an event is published once, as with `sync()`"
)]
pub fn publish<E: Event + Serialize + DeserializeOwned>(event: E) -> PublishNow {
    let name = type_name::<E>();
    PublishNow::new(Draft::now(name, &event, E::topic(), &Format::new(None, None)))
}
