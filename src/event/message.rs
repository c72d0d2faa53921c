//! A message, as a subscriber receives it.

use std::time::SystemTime;

use crate::base::Attributes;
use crate::event::attributes;

/// A message, as a [`SubscriberTask`](crate::SubscriberTask) receives it: content, attributes and the metadata from
/// Pub/Sub.
///
/// `A` is the type of the attributes: the map, or a struct that is deserialized from it.
///
/// ```
/// use cloud_tasks::Message;
///
/// let message: Message<u64> = Message::new(7).with_attribute("priority", "high");
/// assert_eq!(message.content, 7);
/// assert_eq!(message.attributes["priority"], "high");
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Message<C, A = Attributes> {
    /// The content.
    pub content: C,
    /// The attributes.
    pub attributes: A,
    /// The message's id. A message that is published again gets a new one.
    pub id: String,
    /// When Pub/Sub received the message.
    pub publish_time: Option<SystemTime>,
    /// The ordering key; Google's emulator omits it.
    pub ordering_key: Option<String>,
    /// The number of this delivery, starting at 1; only known if the subscription has a dead-letter topic.
    pub delivery_attempt: Option<u32>,
    /// The full name of the subscription, as sent by Pub/Sub; the source of a CloudEvent.
    pub subscription: String,
}

impl<C> Message<C> {
    /// Returns the attribute with this key, or one whose key differs only in case.
    ///
    /// A push without a wrapper sends attributes as HTTP headers, whose names lose their case.
    ///
    /// ```
    /// use cloud_tasks::Message;
    ///
    /// let message = Message::new(()).with_attribute("userid", "7");
    /// assert_eq!(message.attribute("userId"), Some("7"));
    /// ```
    pub fn attribute(&self, key: &str) -> Option<&str> {
        attributes::find(&self.attributes, key)
    }

    /// Creates a message with this content and nothing else, for tests.
    pub fn new(content: C) -> Self {
        Message {
            content,
            attributes: Attributes::new(),
            id: String::new(),
            publish_time: None,
            ordering_key: None,
            delivery_attempt: None,
            subscription: String::new(),
        }
    }

    /// Adds an attribute.
    pub fn with_attribute(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(key.into(), value.into());
        self
    }
}

impl<C, A> Message<C, A> {
    /// Replaces the attributes, also with those of another type.
    pub fn with_attributes<B>(self, attributes: B) -> Message<C, B> {
        Message {
            content: self.content,
            attributes,
            id: self.id,
            publish_time: self.publish_time,
            ordering_key: self.ordering_key,
            delivery_attempt: self.delivery_attempt,
            subscription: self.subscription,
        }
    }

    /// Sets the message's id.
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Sets the number of the delivery.
    pub fn with_delivery_attempt(mut self, attempt: u32) -> Self {
        self.delivery_attempt = Some(attempt);
        self
    }
}
