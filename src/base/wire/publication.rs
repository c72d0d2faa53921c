//! A message on its way to a topic.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use crate::base::error::Error;
use crate::base::invalid::Invalid;
use crate::base::names;
use crate::base::wire::limits::field;

/// The attributes of a message: short strings beside its content, which filters can test.
pub type Attributes = BTreeMap<String, String>;

/// The size of a `PublishRequest`: Google's service counts its protobuf, with attributes and ordering key.
pub(super) const MAX_REQUEST_BYTES: usize = 10_000_000;
/// The longest id of a project.
const PROJECT_BYTES: usize = 30;
const MAX_ATTRIBUTES: usize = 100;
const MAX_KEY_BYTES: usize = 256;
pub(super) const MAX_VALUE_BYTES: usize = 1024;
const MAX_ORDERING_KEY_BYTES: usize = 1024;
/// The attribute prefix of Google's clients for the trace; otherwise reserved.
const TRACE_PREFIX: &str = "googclient_";

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
        self.validate().map_err(|error| {
            Error::invalid(format!(
                "the message to topic {} was not published: {error}",
                self.topic
            ))
        })
    }

    fn validate(&self) -> Result<(), Invalid> {
        names::validate_pubsub_name("topic", &self.topic)?;
        let bytes = self.request_bytes();
        Invalid::unless(bytes <= MAX_REQUEST_BYTES, || {
            Invalid::because(format!(
                "its request would have {bytes} bytes, {} of them its content; Pub/Sub accepts at most {MAX_REQUEST_BYTES} for \
                 topic, content, attributes and ordering key together. Store large data elsewhere and publish a reference",
                self.data.len()
            ))
        })?;
        Invalid::unless(!self.data.is_empty() || !self.attributes.is_empty(), || {
            Invalid::because("it has neither content nor attributes")
        })?;
        let key_bytes = self.ordering_key.as_ref().map_or(0, String::len);
        Invalid::unless(key_bytes <= MAX_ORDERING_KEY_BYTES, || {
            Invalid::because(format!(
                "its ordering key has {key_bytes} bytes; Pub/Sub accepts at most {MAX_ORDERING_KEY_BYTES}"
            ))
        })?;
        validate_attributes(&self.attributes)
    }
}

fn validate_attributes(attributes: &Attributes) -> Result<(), Invalid> {
    let count = attributes.len();
    Invalid::unless(count <= MAX_ATTRIBUTES, || {
        Invalid::because(format!(
            "it has {count} attributes; Pub/Sub accepts at most {MAX_ATTRIBUTES}"
        ))
    })?;
    for (key, value) in attributes {
        Invalid::unless((1..=MAX_KEY_BYTES).contains(&key.len()), || {
            Invalid::because(format!(
                "the attribute {key:?} has {} bytes in its key; Pub/Sub accepts 1 to {MAX_KEY_BYTES}",
                key.len()
            ))
        })?;
        Invalid::unless(!key.starts_with("goog") || key.starts_with(TRACE_PREFIX), || {
            Invalid::because(format!(
                "the attribute {key:?} begins with goog, which is Google's own"
            ))
        })?;
        Invalid::unless(value.len() <= MAX_VALUE_BYTES, || {
            Invalid::because(format!(
                "the attribute {key:?} has {} bytes; Pub/Sub accepts at most {MAX_VALUE_BYTES}",
                value.len()
            ))
        })?;
    }
    Ok(())
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
