//! Events that are made from a model.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{Attributes, Error};
use crate::event::Event;
use crate::event::publish::{Draft, Publish, PublishNow};
use crate::event::publisher::bind;
use crate::registry::Registered;
use crate::registry::topic::Topic;
use crate::registry::{Kind, Registration};
use crate::runtime::RunAt;
use crate::task::commit::Transactional;

/// A model that says what it is called, from which its topic's name is made.
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
    message = "`{Self}` does not say which model it is",
    note = "derive it, `#[derive(Model)] #[model(app_label = \"..\")]`, or name the topic: `#[task(topic = \"..\")]` or \
            `#[task(app_label = \"..\")]`"
)]
pub trait Model {
    /// The part of the application that the model belongs to.
    const APP_LABEL: &'static str;
    /// The model's name, in lower case.
    const MODEL_NAME: &'static str;
}

impl Topic {
    /// The topic of a model that says its names itself.
    pub fn of_model<M: Model>() -> Self {
        Self::model(M::APP_LABEL, M::MODEL_NAME)
    }
}

/// An event that is made from a model: its content, its attributes and its topic.
///
/// [`of`](Self::of) builds all three at once and keeps them as a snapshot, which later changes of the model do not touch.
/// The topic is `{app_label}-{model}`, of the [`Model`] or of `#[task(app_label = "..")]`, unless `topic` names another or
/// [`topic_for`](Self::topic_for) picks one for each object.
///
/// ```standalone_crate
/// use cloud_tasks::event::Attributes;
/// use cloud_tasks::{Model, ModelPublisherTask, Runtime, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Model)]
/// #[model(app_label = "sales")]
/// struct Order { id: u64, total: u64 }
///
/// struct Campaign { source: &'static str }
///
/// #[derive(Serialize, Deserialize)]
/// struct OrderCreated { order_id: u64, source: String }
///
/// #[task]
/// impl ModelPublisherTask for OrderCreated {
///     fn content(order: &Order, campaign: &Campaign) -> Self {
///         Self { order_id: order.id, source: campaign.source.into() }
///     }
///     fn attributes(order: &Order, _campaign: &Campaign) -> Attributes {
///         [("large".to_owned(), (order.total > 1000).to_string())].into()
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloud_tasks::Error> {
/// let (runtime, recorder) = Runtime::recorded().build().await?;
/// let mut order = Order { id: 7, total: 5000 };
/// let event = OrderCreated::of_with(&order, &Campaign { source: "spring" });
/// order.id = 8;                                         // too late to matter
/// event.sync().on(&runtime).await?;
/// let published = &recorder.publications()[0];
/// assert_eq!(published.topic(), "sales-order");
/// assert_eq!(published.data(), br#"{"order_id":7,"source":"spring"}"#);
/// assert_eq!(published.attributes()["large"], "true");
/// # Ok(())
/// # }
/// ```
pub trait ModelPublisherTask: Registered + Event + Serialize + DeserializeOwned + Send + 'static {
    /// What the event is made from, filled in by `#[task]`.
    type Model;

    /// What else a call passes, filled in by `#[task]`; `()` for nothing.
    type Extra;

    /// Makes the content.
    fn content(model: &Self::Model, extra: &Self::Extra) -> Self;

    /// Makes the attributes; none, unless written.
    fn attributes(model: &Self::Model, extra: &Self::Extra) -> Attributes {
        let _ = (model, extra);
        Attributes::new()
    }

    /// Picks the topic of one object; that of all of them, unless written.
    fn topic_for(model: &Self::Model, extra: &Self::Extra) -> Topic {
        let _ = (model, extra);
        Self::topic()
    }

    /// Makes the event of a model.
    fn of(model: &Self::Model) -> PreparedEvent
    where
        Self: ModelPublisherTask<Extra = ()>,
    {
        Self::of_with(model, &())
    }

    /// Makes the event of a model, with what else its content or attributes are made of.
    fn of_with(model: &Self::Model, extra: &Self::Extra) -> PreparedEvent {
        let content = Self::content(model, extra);
        let topic = Self::topic_for(model, extra);
        let draft = Draft::new(Self::__REGISTRATION.name, &content, topic).map(|draft| {
            draft
                .with_own_topic()
                .with_attributes(Self::attributes(model, extra))
        });
        PreparedEvent {
            publish: Publish::new(&content, draft),
        }
    }
}

/// An event of a model as it was when this was made; nothing happens until one of its methods is awaited.
#[must_use = "nothing is published until it is sent"]
pub struct PreparedEvent {
    publish: Publish,
}

impl PreparedEvent {
    /// Enqueues a task that publishes the event as soon as its queue lets it.
    pub fn asap(self) -> Publish {
        self.publish
    }

    /// Enqueues a task that publishes the event after a while or at an instant.
    pub fn later(self, when: impl Into<RunAt>) -> Publish {
        self.asap().at(when.into())
    }

    /// Enqueues a task that publishes the event at a random instant between now and a deadline.
    pub fn spread_until(self, deadline: impl Into<RunAt>) -> Publish {
        self.asap().before(deadline.into())
    }

    /// Publishes the event now, from this process; gives back the message's id.
    pub fn sync(self) -> PublishNow {
        self.publish.into_now()
    }

    /// Enqueues a task that publishes the event, once a transaction has committed; see [`Publish::on_commit`].
    ///
    /// # Errors
    ///
    /// When there is no runtime, or when something is wrong with the event. `tx` is as it was.
    pub fn asap_on_commit(self, tx: &mut (impl Transactional + ?Sized)) -> Result<(), Error> {
        self.asap().on_commit(tx)
    }

    /// Publishes the event from this process, once a transaction has committed; see [`PublishNow::on_commit`].
    ///
    /// # Errors
    ///
    /// When there is no runtime, or when something is wrong with the event. `tx` is as it was.
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
    /// The registration of a model's publisher by this name, defined at `location` (`file:line`).
    pub const fn model_publisher<T: ModelPublisherTask>(name: &'static str, location: &'static str) -> Self {
        Self::new::<T>(name, location, Kind::Publisher { topic: T::topic }, bind::<T>)
    }
}
