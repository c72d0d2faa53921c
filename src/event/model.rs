//! Events that are built from a model.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{Attributes, BoxError, Error, HeaderPlacement, States, json};
use crate::event::Event;
use crate::event::draft::Draft;
use crate::event::format::Format;
use crate::event::publish::{Publish, PublishNow};
use crate::event::publisher::publishing;
use crate::event::publisher_body;
use crate::registry::Registered;
use crate::registry::topic::Topic;
use crate::registry::{BoundTask, Kind, Registration};
use crate::runtime::RunAt;
use crate::task::commit::Transactional;

/// A model with a name, from which the name of its topic is derived.
///
/// ```
/// use cloud_tasks::event::Topic;
/// use cloud_tasks::{Config, Model};
///
/// #[derive(Model)]
/// #[model(app_label = "sales")]
/// struct Order { id: u64 }
///
/// assert_eq!(Topic::of_model::<Order>().name(&Config::default()), "sales-order");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `Model`",
    note = "derive it, `#[derive(Model)] #[model(app_label = \"..\")]`, or name the topic: `#[task(topic = \"..\")]` or \
            `#[task(app_label = \"..\")]`"
)]
pub trait Model {
    /// The part of the application that the model belongs to.
    const APP_LABEL: &'static str;
    /// The model's name in lower case.
    const MODEL_NAME: &'static str;
}

impl Topic {
    /// The topic of a model that declares its names.
    pub fn of_model<M: Model>() -> Self {
        Self::model(M::APP_LABEL, M::MODEL_NAME)
    }
}

/// An event that is built from a model: its content, its attributes and its topic.
///
/// [`of`](Self::of) builds all three at once, as a snapshot that later changes of the model do not affect. The topic is
/// `{app_label}-{model}`, from the [`Model`] or from `#[task(app_label = "..")]`, unless `topic` names another or
/// [`topic_for`](Self::topic_for) chooses one per object.
///
/// ```
/// use cloud_tasks::event::Attributes;
/// use cloud_tasks::{Model, ModelPublisherTask, Runtime, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Model)]
/// #[model(app_label = "sales")]
/// struct Invoice { id: u64, total: u64 }
///
/// struct Campaign { source: &'static str }
///
/// #[derive(Serialize, Deserialize)]
/// struct InvoiceIssued { order_id: u64, source: String }
///
/// #[task]
/// impl ModelPublisherTask for InvoiceIssued {
///     fn content(order: &Invoice, campaign: &Campaign) -> Self {
///         Self { order_id: order.id, source: campaign.source.into() }
///     }
///     fn attributes(order: &Invoice, _campaign: &Campaign) -> Attributes {
///         [("large".to_owned(), (order.total > 1000).to_string())].into()
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// let mut order = Invoice { id: 7, total: 5000 };
/// let event = InvoiceIssued::of_with(&order, &Campaign { source: "spring" });
/// order.id = 8;                                         // too late to matter
/// event.sync().on(&runtime).await?;
/// let published = &recorder.publications()[0];
/// assert_eq!(published.topic(), "sales-invoice");
/// assert_eq!(published.data(), br#"{"order_id":7,"source":"spring"}"#);
/// assert_eq!(published.attributes()["large"], "true");
/// # Ok(())
/// # }
/// ```
pub trait ModelPublisherTask: Registered + Event + Serialize + DeserializeOwned + Send + 'static {
    /// The type of the model, filled in by `#[task]`.
    type Model;

    /// The type of the additional argument, filled in by `#[task]`; `()` for none.
    type Extra;

    /// Where propagated headers travel; see [`PublisherTask::HEADERS`](crate::PublisherTask::HEADERS).
    const HEADERS: Option<HeaderPlacement> = None;

    /// Whether `encode` is written; filled in by `#[task]`.
    #[doc(hidden)]
    const __ENCODES: bool = false;

    /// Encodes the content of a message, for a subscriber whose `parse` decodes it; by default as JSON.
    ///
    /// See [`PublisherTask::encode`](crate::PublisherTask::encode).
    ///
    /// # Errors
    ///
    /// If the event cannot be encoded: nothing is published.
    fn encode(event: &Self) -> Result<Vec<u8>, BoxError> {
        Ok(json::encode(event)?.into())
    }

    /// Builds the content.
    fn content(model: &Self::Model, extra: &Self::Extra) -> Self;

    /// Builds the attributes; by default none.
    fn attributes(model: &Self::Model, extra: &Self::Extra) -> Attributes {
        let _ = (model, extra);
        Attributes::new()
    }

    /// Chooses the topic of one object; by default that of all objects.
    fn topic_for(model: &Self::Model, extra: &Self::Extra) -> Topic {
        let _ = (model, extra);
        Self::topic()
    }

    /// Builds the event of a model.
    fn of(model: &Self::Model) -> PreparedEvent
    where
        Self: ModelPublisherTask<Extra = ()>,
    {
        Self::of_with(model, &())
    }

    /// Builds the event of a model, with an additional argument.
    fn of_with(model: &Self::Model, extra: &Self::Extra) -> PreparedEvent {
        let content = Self::content(model, extra);
        let topic = Self::topic_for(model, extra);
        let draft = Draft::new(
            Self::__REGISTRATION.declared().name,
            &content,
            topic,
            &format::<Self>(),
        )
        .map(|draft| {
            draft
                .with_own_topic()
                .with_attributes(Self::attributes(model, extra))
        });
        PreparedEvent {
            publish: Publish::new(&content, draft),
        }
    }
}

/// The event of a model, as a snapshot. Nothing happens until one of its methods is awaited.
#[must_use = "nothing is published until it is sent"]
pub struct PreparedEvent {
    publish: Publish,
}

impl PreparedEvent {
    /// Enqueues a task that publishes the event as soon as possible.
    pub fn asap(self) -> Publish {
        self.publish
    }

    /// Enqueues a task that publishes the event after a delay or at a given time.
    pub fn later(self, when: impl Into<RunAt>) -> Publish {
        self.asap().at(when.into())
    }

    /// Enqueues a task that publishes the event at a random time between now and a deadline.
    pub fn spread_until(self, deadline: impl Into<RunAt>) -> Publish {
        self.asap().before(deadline.into())
    }

    /// Publishes the event now, from this process, and returns the message's id.
    pub fn sync(self) -> PublishNow {
        self.publish.into_now()
    }

    /// Enqueues a task that publishes the event after a transaction has committed; see [`Publish::on_commit`].
    ///
    /// # Errors
    ///
    /// If there is no runtime, or if the event is invalid. `tx` is unchanged.
    pub fn asap_on_commit(self, tx: &mut (impl Transactional + ?Sized)) -> Result<(), Error> {
        self.asap().on_commit(tx)
    }

    /// Publishes the event from this process after a transaction has committed; see [`PublishNow::on_commit`].
    ///
    /// # Errors
    ///
    /// If there is no runtime, or if the event is invalid. `tx` is unchanged.
    pub fn sync_on_commit(self, tx: &mut (impl Transactional + ?Sized)) -> Result<(), Error> {
        self.sync().on_commit(tx)
    }
}

impl fmt::Debug for PreparedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedEvent")
            .field("publish", &self.publish)
            .finish_non_exhaustive()
    }
}

impl Registration {
    /// The registration of a model publisher with this name, defined at `location` (`file:line`).
    pub const fn model_publisher<T: ModelPublisherTask>(name: &'static str, location: &'static str) -> Self {
        Self::new::<T>(name, location, Kind::Publisher { topic: T::topic }, bind::<T>)
            .arguments(publisher_body::of_event::<T>)
    }
}

fn format<T: ModelPublisherTask>() -> Format<T> {
    Format::new(T::__ENCODES.then_some(T::encode), T::HEADERS)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a `Registration` binds what may lack its state"
)]
fn bind<T: ModelPublisherTask>(_states: &States) -> Result<BoundTask, Vec<&'static str>> {
    Ok(publishing(T::__REGISTRATION.declared().name, format::<T>()))
}
