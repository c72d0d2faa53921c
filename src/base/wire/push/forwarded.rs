//! The task that a message is forwarded to.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{MessageIdentity, Push, decode_base64, time};
use crate::base::json;
use crate::base::time::rfc3339;
use crate::base::wire::publication::Attributes;

/// The header of a forwarded task with the message's fields other than content and attributes.
const MESSAGE: HeaderName = HeaderName::from_static("x-cloud-tasks-message");

/// The body of the task that a message is forwarded to. It has content and attributes only, because django-cloud-tasks
/// passes every member to the subscriber as an argument.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Forwarded {
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    content: Option<Box<RawValue>>,
    /// Content that is not JSON, or whose exact text JSON would lose, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    attributes: Option<Attributes>,
}

/// The other fields of a forwarded message, form-encoded in the header [`MESSAGE`].
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct ForwardedMessage {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publish_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ordering_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

impl ForwardedMessage {
    /// Reads the header. Without it, every field is missing.
    pub fn read(headers: &HeaderMap) -> Self {
        headers
            .get(MESSAGE)
            .and_then(|text| serde_urlencoded::from_bytes(text.as_bytes()).ok())
            .unwrap_or_default()
    }

    /// What identifies the message that a task was made of, if its headers say so.
    pub fn identity(&self) -> Option<MessageIdentity<'_>> {
        MessageIdentity::of(self.id.as_deref()?, self.source.as_deref())
    }
}

/// Deserializes a member that is present; `null` is content as well.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

impl Push {
    /// The body of the task that this message is forwarded to.
    pub fn to_forwarded_body(&self) -> Vec<u8> {
        let content = serde_json::from_slice::<Box<RawValue>>(&self.data)
            .ok()
            // Whitespace around the JSON would be lost, and a custom parser may depend on it.
            .filter(|content| content.get().len() == self.data.len());
        let body = Forwarded {
            data: content.is_none().then(|| STANDARD.encode(&self.data)),
            content,
            attributes: Some(self.attributes.clone()),
        };
        // Strings and checked JSON always serialize.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// The header of the task that this message is forwarded to.
    pub fn to_forwarded_header(&self) -> (HeaderName, String) {
        let message = ForwardedMessage {
            id: Some(self.id.clone()).filter(|id| !id.is_empty()),
            publish_time: self.publish_time.map(rfc3339),
            ordering_key: self.ordering_key.clone(),
            delivery_attempt: self.delivery_attempt,
            // That of a CloudEvent is its source.
            subscription: Some(self.subscription.clone())
                .filter(|name| !name.is_empty() && self.source.as_ref() != Some(name)),
            source: self.source.clone(),
        };
        // Strings always encode.
        (MESSAGE, serde_urlencoded::to_string(message).unwrap_or_default())
    }

    /// Parses the body of a forwarded task. One that django-cloud-tasks forwarded lacks the header.
    pub fn read_forwarded(headers: &HeaderMap, body: &[u8]) -> Result<Self, String> {
        let body: Forwarded = json::decode(body)?;
        let message = ForwardedMessage::read(headers);
        let data = match (body.content, body.data) {
            (Some(content), _) => content.get().as_bytes().to_vec(),
            (None, Some(data)) => decode_base64(&data).ok_or("data: it is not base64")?,
            (None, None) => return Err("missing field `content`".into()),
        };
        Ok(Self {
            data: data.into(),
            attributes: body.attributes.unwrap_or_default(),
            id: message.id.unwrap_or_default(),
            publish_time: time(message.publish_time.as_deref()),
            ordering_key: message.ordering_key.filter(|key| !key.is_empty()),
            delivery_attempt: message.delivery_attempt,
            subscription: message
                .subscription
                .or_else(|| message.source.clone())
                .unwrap_or_default(),
            source: message.source,
        })
    }
}
