//! Events, and the publishers and subscribers that use them.

mod attributes;
mod draft;
mod format;
pub(crate) mod message;
mod model;
pub(crate) mod publish;
mod publisher;
pub(crate) mod publisher_body;
pub(crate) mod subscriber;

pub use crate::base::{Attributes, HeaderPlacement, Publication};
pub use crate::registry::subscription::Subscription;
pub use crate::registry::topic::Topic;
pub use crate::registry::topic_publisher::TopicPublisher;
#[doc(inline)]
pub use cloud_tasks_rules::filter::{Filter, FilterError};
pub use message::Message;
pub use model::{Model, ModelPublisherTask, PreparedEvent};
pub use publish::{Publish, PublishNow, publish};
pub use publisher::PublisherTask;
pub use subscriber::SubscriberTask;

/// A message type with a topic, so that publisher and subscriber cannot use different ones.
///
/// `#[task]` on `impl PublisherTask` or `impl ModelPublisherTask` implements it. In a crate that several services share,
/// add the option `shared`: linking the crate then registers no publisher. The service that publishes the event has
/// `sync()` at once, and `asap()` after `.register::<UserAction>()` on its builder; the others only hear it. You can also
/// implement the trait by hand, for example for a topic that is computed; [`publish`] then publishes the event.
///
/// ```
/// use cloud_tasks::event::Topic;
/// use cloud_tasks::Event;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct UserAction { user_id: u64 }
///
/// impl Event for UserAction {
///     fn topic() -> Topic {
///         Topic::new("user-actions").of_app("accounts")
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no topic",
    label = "this is not an event",
    note = "name the topic with `#[task(topic = \"..\")]`, or let `{Self}` be an event: `#[task] impl PublisherTask for {Self} {{}}`"
)]
pub trait Event {
    /// The topic of all messages of this type.
    fn topic() -> Topic;
}
