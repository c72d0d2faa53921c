//! Publishers: events that can be published now or by a task.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{BoxFuture, Error, States, TaskError, TaskMetadata, json, propagation};
use crate::event::Event;
use crate::event::publish::{Draft, Publish, PublishNow, PublisherBody, publication};
use crate::registry::Registered;
use crate::registry::{AttemptError, BoundTask, Handler, Kind, Registration, TaskInput};
use crate::runtime::{RunAt, Scope};
use crate::task::commit::Transactional;

/// An event that this service publishes: its fields are the message's content, and its type has a topic.
///
/// Write `#[task]` above the `impl` block. `topic` sets the topic, by default the type's name; `app` names another
/// application that owns it. For a message of any shape, use a transparent struct around [`serde_json::Value`].
///
/// ```
/// use cloud_tasks::{PublisherTask, Runtime, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct PageViewed { user_id: u64, action: String }
///
/// #[task(topic = "page-views")]
/// impl PublisherTask for PageViewed {}
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(transparent)]
/// struct AnyMessage(serde_json::Value);
///
/// #[task]
/// impl PublisherTask for AnyMessage {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// runtime.scope(async {
///     PageViewed { user_id: 7, action: "login".into() }.asap().attribute("priority", "high").await?;
///     let message_id = AnyMessage(serde_json::json!({"any": "thing"})).sync().await?;
///     assert!(!message_id.is_empty());
///     Ok::<_, cloud_tasks::Error>(())
/// }).await?;
/// assert_eq!(recorder.publications()[0].data(), br#"{"any":"thing"}"#);
/// # Ok(())
/// # }
/// ```
pub trait PublisherTask: Registered + Event + Serialize + DeserializeOwned + Send + 'static {
    /// Enqueues a task that publishes the message as soon as possible.
    fn asap(self) -> Publish {
        Publish::new(&self, draft(&self))
    }

    /// Enqueues a task that publishes the message after a delay or at a given time.
    fn later(self, when: impl Into<RunAt>) -> Publish {
        self.asap().at(when.into())
    }

    /// Enqueues a task that publishes the message at a random time between now and a deadline.
    fn spread_until(self, deadline: impl Into<RunAt>) -> Publish {
        self.asap().before(deadline.into())
    }

    /// Publishes the message now, from this process, and returns its id.
    fn sync(self) -> PublishNow {
        PublishNow::new(draft(&self))
    }

    /// Enqueues a task that publishes the message after a transaction has committed; see [`Publish::on_commit`].
    ///
    /// # Errors
    ///
    /// If there is no runtime, or if the message is invalid. `tx` is unchanged.
    fn asap_on_commit(self, tx: &mut (impl Transactional + ?Sized)) -> Result<(), Error> {
        self.asap().on_commit(tx)
    }

    /// Publishes the message from this process after a transaction has committed; see [`PublishNow::on_commit`].
    ///
    /// # Errors
    ///
    /// If there is no runtime, or if the message is invalid. `tx` is unchanged.
    fn sync_on_commit(self, tx: &mut (impl Transactional + ?Sized)) -> Result<(), Error> {
        self.sync().on_commit(tx)
    }
}

fn draft<T: PublisherTask>(event: &T) -> Result<Draft, Error> {
    Draft::new(T::__REGISTRATION.declared().name, event, T::topic())
}

impl Registration {
    /// The registration of a publisher with this name, defined at `location` (`file:line`).
    pub const fn publisher<T: PublisherTask>(name: &'static str, location: &'static str) -> Self {
        Self::new::<T>(name, location, Kind::Publisher { topic: T::topic }, bind::<T>)
    }
}

/// Binds the handler of the publishing task, for any event.
#[expect(
    clippy::unnecessary_wraps,
    reason = "a `Registration` binds what may lack its state"
)]
pub(crate) fn bind<T: Event + DeserializeOwned + Send + 'static>(
    _states: &States,
) -> Result<BoundTask, Vec<&'static str>> {
    Ok(BoundTask {
        handler: Arc::new(PublishHandler::<T>(PhantomData)),
        state: Arc::new(()),
    })
}

/// Publishes the message of a publisher's task.
struct PublishHandler<T>(PhantomData<fn() -> T>);

impl<T: Event + DeserializeOwned + Send + 'static> Handler for PublishHandler<T> {
    fn call(
        &self,
        input: TaskInput,
        _metadata: TaskMetadata,
    ) -> BoxFuture<'_, Result<Vec<u8>, AttemptError>> {
        Box::pin(async move {
            let TaskInput::Body(body) = input else {
                return Err(AttemptError::Decode("a publisher takes no messages".into()));
            };
            let body = PublisherBody::read(&body).map_err(AttemptError::Decode)?;
            let content = Bytes::copy_from_slice(body.content().as_bytes());
            // Decoded, so that a message that no subscriber could read is not published; sent as it was received.
            if !content.is_empty() {
                json::decode::<T>(&content)
                    .map_err(|mistake| AttemptError::Decode(format!("message: {mistake}")))?;
            }
            let scope = Scope::current().map_err(failed)?;
            let topic = body
                .topic_name
                .map_or_else(|| T::topic().into_name(scope.runtime.config()), Cow::Owned);
            let headers = propagation::told(&body.headers.unwrap_or_default(), scope.headers.as_deref());
            let publication = publication(
                &scope,
                Some(&headers),
                topic,
                content,
                body.attributes.unwrap_or_default(),
                body.ordering_key,
            )
            .map_err(failed)?;
            let id = scope.runtime.send_message(publication).await.map_err(failed)?;
            serde_json::to_vec(&id).map_err(AttemptError::Output)
        })
    }
}

fn failed(error: Error) -> AttemptError {
    AttemptError::Task(TaskError::from(error))
}
