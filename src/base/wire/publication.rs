//! A message on its way to a topic.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use crate::base::error::Error;
use crate::base::names;
use crate::base::wire::limits::field;

/// The attributes of a message: short strings beside its content, which filters can test.
pub type Attributes = BTreeMap<String, String>;

/// The size of a `PublishRequest`: Google's service counts its protobuf, with attributes and ordering key.
const MAX_REQUEST_BYTES: usize = 10_000_000;
/// The longest id of a project.
const PROJECT_BYTES: usize = 30;
const MAX_ATTRIBUTES: usize = 100;
const MAX_KEY_BYTES: usize = 256;
const MAX_VALUE_BYTES: usize = 1024;
const MAX_ORDERING_KEY_BYTES: usize = 1024;
/// The attribute prefix of Google's clients for the trace; otherwise reserved.
pub(crate) const TRACE_PREFIX: &str = "googclient_";

/// A message on its way to a topic, as a [`Backend`](crate::backend::Backend) sees it.
///
/// It was checked against the service's limits. The `Debug` output omits the content and the values of the attributes.
/// Source of the limits: <https://cloud.google.com/pubsub/quotas#resource_limits>.
#[derive(Clone, PartialEq, Eq)]
pub struct Publication {
    pub(crate) topic: Cow<'static, str>,
    pub(crate) data: Bytes,
    pub(crate) attributes: Attributes,
    pub(crate) ordering_key: Option<String>,
}

impl Publication {
    /// The topic's name with its prefix, or its full path if the event has one.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The encoded content.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The attributes, including those of the trace.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// The ordering key, if any.
    pub fn ordering_key(&self) -> Option<&str> {
        self.ordering_key.as_deref()
    }

    /// The size of `google.pubsub.v1.PublishRequest` with this message alone.
    fn request_bytes(&self) -> usize {
        let topic = if self.topic.starts_with("projects/") {
            self.topic.len()
        } else {
            "projects//topics/".len() + PROJECT_BYTES + self.topic.len()
        };
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(key, value)| field(field(key.len()) + field(value.len())))
            .sum();
        let key = self.ordering_key.as_ref().map_or(0, |key| field(key.len()));
        field(topic) + field(field(self.data.len()) + attributes + key)
    }

    /// Checks every limit of Pub/Sub.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mistake = if let Some(mistake) = names::pubsub_mistake("topic", &self.topic) {
            Some(mistake)
        } else if self.request_bytes() > MAX_REQUEST_BYTES {
            Some(format!(
                "its request would have {} bytes, {} of them its content; Pub/Sub accepts at most {MAX_REQUEST_BYTES} for \
                 topic, content, attributes and ordering key together. Store large data elsewhere and publish a reference",
                self.request_bytes(),
                self.data.len()
            ))
        } else if self.data.is_empty() && self.attributes.is_empty() {
            Some("it has neither content nor attributes".to_owned())
        } else {
            self.ordering_key
                .as_ref()
                .filter(|key| key.len() > MAX_ORDERING_KEY_BYTES)
                .map(|key| {
                    format!(
                        "its ordering key has {} bytes; Pub/Sub accepts at most {MAX_ORDERING_KEY_BYTES}",
                        key.len()
                    )
                })
                .or_else(|| attributes_mistake(&self.attributes))
        };
        mistake.map_or(Ok(()), |mistake| {
            Err(Error::invalid(format!(
                "the message to topic {} was not published: {mistake}",
                self.topic
            )))
        })
    }
}

/// Validates attributes.
fn attributes_mistake(attributes: &Attributes) -> Option<String> {
    if attributes.len() > MAX_ATTRIBUTES {
        let count = attributes.len();
        return Some(format!(
            "it has {count} attributes; Pub/Sub accepts at most {MAX_ATTRIBUTES}"
        ));
    }
    attributes.iter().find_map(|(key, value)| {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            Some(format!(
                "the attribute {key:?} has {} bytes in its key; Pub/Sub accepts 1 to {MAX_KEY_BYTES}",
                key.len()
            ))
        } else if key.starts_with("goog") && !key.starts_with(TRACE_PREFIX) {
            Some(format!(
                "the attribute {key:?} begins with goog, which is Google's own"
            ))
        } else if value.len() > MAX_VALUE_BYTES {
            Some(format!(
                "the attribute {key:?} has {} bytes; Pub/Sub accepts at most {MAX_VALUE_BYTES}",
                value.len()
            ))
        } else {
            None
        }
    })
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication")
            .field("topic", &self.topic)
            .field("data_bytes", &self.data.len())
            .field("attributes", &self.attributes.keys().collect::<Vec<_>>())
            .field("ordering_key", &self.ordering_key.is_some())
            .finish()
    }
}
