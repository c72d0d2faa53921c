//! Publishers: events that can be published now or by a task.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{
    BoxError, BoxFuture, Error, HeaderPlacement, Publication, States, TaskError, TaskMetadata, json,
    propagation,
};
use crate::event::Event;
use crate::event::draft::{Draft, with_headers};
use crate::event::format::{DataError, Format};
use crate::event::publish::{Publish, PublishNow};
use crate::event::publisher_body::{self, PublisherBody};
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
///
/// For content in another format, such as protobuf, Avro, gzip or plain bytes, write [`encode`](Self::encode) as the
/// counterpart of [`SubscriberTask::parse`](crate::SubscriberTask::parse):
///
/// ```
/// use cloud_tasks::event::HeaderPlacement;
/// use cloud_tasks::{BoxError, Context, Message, PublisherTask, Runtime, SubscriberTask, TaskResult, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Temperature { sensor: u32, celsius: f32 }
///
/// #[task(topic = "temperatures")]
/// impl PublisherTask for Temperature {
///     // The topic has a schema.
///     const HEADERS: Option<HeaderPlacement> = Some(HeaderPlacement::Attributes);
///
///     fn encode(event: &Self) -> Result<Vec<u8>, BoxError> {
///         Ok([event.sensor.to_le_bytes(), event.celsius.to_le_bytes()].concat())
///     }
/// }
///
/// struct Thermostat;
///
/// #[task]
/// impl SubscriberTask for Thermostat {
///     fn parse(data: &[u8]) -> Result<Temperature, BoxError> {
///         let (sensor, celsius) = data.split_at_checked(4).ok_or("too short")?;
///         let celsius = f32::from_le_bytes(celsius.try_into()?);
///         Ok(Temperature { sensor: u32::from_le_bytes(sensor.try_into()?), celsius })
///     }
///
///     async fn run(message: Message<Temperature>, _cx: Context) -> TaskResult {
///         assert_eq!((message.content.sensor, message.content.celsius), (7, 21.5));
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let runtime = Runtime::eager().build().await?;
/// Temperature { sensor: 7, celsius: 21.5 }.sync().on(&runtime).await?;
/// # Ok(())
/// # }
/// ```
pub trait PublisherTask: Registered + Event + Serialize + DeserializeOwned + Send + 'static {
    /// Where propagated headers travel in the messages of this event; `None` for the place that the settings name.
    ///
    /// A topic with a schema accepts no further field in the content: [`HeaderPlacement::Attributes`].
    const HEADERS: Option<HeaderPlacement> = None;

    /// Whether `encode` is written; filled in by `#[task]`.
    #[doc(hidden)]
    const __ENCODES: bool = false;

    /// Encodes the content of a message, for a subscriber whose `parse` decodes it; by default as JSON.
    ///
    /// `sync` encodes the event when it is called. A task that publishes carries the event as JSON, and encodes it when it
    /// runs. Encoded content is published unchanged: unless it is a JSON object, propagated headers travel as attributes.
    /// The recorder's assertions on events read JSON; for encoded content, look at its publications.
    ///
    /// # Errors
    ///
    /// If the event cannot be encoded: nothing is published.
    fn encode(event: &Self) -> Result<Vec<u8>, BoxError> {
        Ok(json::encode(event)?.into())
    }

    /// Enqueues a task that publishes the message as soon as possible.
    fn asap(self) -> Publish {
        let (name, topic) = (Self::__REGISTRATION.declared().name, Self::topic());
        Publish::new(&self, Draft::new(name, &self, topic, &format::<Self>()))
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
        let (name, topic) = (Self::__REGISTRATION.declared().name, Self::topic());
        PublishNow::new(Draft::now(name, &self, topic, &format::<Self>()))
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

fn format<T: PublisherTask>() -> Format<T> {
    Format::new(T::__ENCODES.then_some(T::encode), T::HEADERS)
}

impl Registration {
    /// The registration of a publisher with this name, defined at `location` (`file:line`).
    pub const fn publisher<T: PublisherTask>(name: &'static str, location: &'static str) -> Self {
        Self::new::<T>(name, location, Kind::Publisher { topic: T::topic }, bind::<T>)
            .arguments(publisher_body::of_event::<T>)
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a `Registration` binds what may lack its state"
)]
fn bind<T: PublisherTask>(_states: &States) -> Result<BoundTask, Vec<&'static str>> {
    Ok(publishing(T::__REGISTRATION.declared().name, format::<T>()))
}

/// The task that publishes the messages of an event.
pub(super) fn publishing<T>(name: &'static str, format: Format<T>) -> BoundTask
where
    T: Event + DeserializeOwned + Send + 'static,
{
    BoundTask {
        handler: Arc::new(PublishHandler { name, format }),
        state: Arc::new(()),
    }
}

/// Publishes the message of a publisher's task.
struct PublishHandler<T> {
    name: &'static str,
    format: Format<T>,
}

impl<T: Event + DeserializeOwned + Send + 'static> Handler for PublishHandler<T> {
    fn call(
        self: Arc<Self>,
        input: TaskInput,
        _metadata: TaskMetadata,
    ) -> BoxFuture<'static, Result<Vec<u8>, AttemptError>> {
        Box::pin(async move {
            let TaskInput::Body(body) = input else {
                return Err(AttemptError::Decode(
                    "a publisher does not accept messages".into(),
                ));
            };
            let body = PublisherBody::read(&body).map_err(AttemptError::Decode)?;
            let content = Bytes::copy_from_slice(body.content().as_bytes());
            let data = self
                .format
                .data(self.name, content)
                .map_err(|error| match error {
                    DataError::Decode(reason) => AttemptError::Decode(format!("message: {reason}")),
                    DataError::Encode(error) => failed(error),
                })?;
            let scope = Scope::current().map_err(failed)?;
            let topic = body
                .topic_name
                .map_or_else(|| T::topic().into_name(scope.runtime.config()), Cow::Owned);
            let headers = propagation::merge(&body.headers.unwrap_or_default(), &scope.headers());
            let bare = Publication {
                topic,
                data,
                attributes: body.attributes.unwrap_or_default(),
                ordering_key: body.ordering_key.filter(|key| !key.is_empty()),
            };
            let publication = with_headers(&scope, bare, &headers, self.format.headers).map_err(failed)?;
            let id = scope.runtime.send_message(publication).await.map_err(failed)?;
            serde_json::to_vec(&id).map_err(AttemptError::Output)
        })
    }
}

fn failed(error: Error) -> AttemptError {
    AttemptError::Task(TaskError::from(error))
}
