//! The body of a Pub/Sub push, as received and as sent by the local engine.
//!
//! Sources: <https://cloud.google.com/pubsub/docs/push#receive_push>, `google/pubsub/v1/pubsub.proto` (`PushConfig`).

mod cloud_event;
#[cfg(any(feature = "local", feature = "testing"))]
mod dead_letter;
mod forwarded;
mod unwrapped;

pub(crate) use forwarded::ForwardedMessage;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};

use crate::base::json;
use crate::base::time::rfc3339_millis;
use crate::base::wire::publication::Attributes;

/// What the headers of a push say of its form, found in one pass.
#[derive(Default)]
struct Seen<'a> {
    content_type: Option<&'a HeaderValue>,
    is_event: bool,
    has_metadata: bool,
}

impl<'a> Seen<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let mut seen = Self::default();
        for (name, value) in headers {
            if *name == header::CONTENT_TYPE {
                // The first one counts.
                seen.content_type.get_or_insert(value);
            } else {
                let name = name.as_str();
                seen.is_event |= name == cloud_event::VERSION;
                seen.has_metadata |= unwrapped::is_metadata(name);
            }
        }
        seen
    }

    fn form(&self) -> Option<cloud_event::Form> {
        cloud_event::form(self.content_type, self.is_event)
    }
}

/// A pushed message with unparsed content: from Pub/Sub, or a CloudEvent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Push {
    pub data: Bytes,
    pub attributes: Attributes,
    pub id: String,
    pub publish_time: Option<SystemTime>,
    pub ordering_key: Option<String>,
    pub delivery_attempt: Option<u32>,
    pub subscription: String,
    /// The source of a CloudEvent: its id is unique only together with it.
    pub source: Option<String>,
}

/// What identifies a message for its subscriber: the id of Pub/Sub, or the source and the id of a CloudEvent.
///
/// Source: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#id>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageIdentity<'a> {
    pub source: Option<&'a str>,
    pub id: &'a str,
}

impl<'a> MessageIdentity<'a> {
    fn of(id: &'a str, source: Option<&'a str>) -> Option<Self> {
        (!id.is_empty()).then_some(Self { source, id })
    }

    /// Its parts; as many tell whether there is a source.
    pub fn parts(self) -> impl Iterator<Item = &'a str> {
        self.source.into_iter().chain([self.id])
    }
}

/// The wrapped form. Both spellings of a field arrive together, so each needs a field here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped<'a> {
    #[serde(borrow)]
    message: WrappedMessage<'a>,
    #[serde(borrow)]
    subscription: Option<Text<'a>>,
    delivery_attempt: Option<u32>,
}

#[derive(Deserialize)]
struct WrappedMessage<'a> {
    #[serde(borrow)]
    data: Option<Text<'a>>,
    attributes: Option<BTreeMap<String, String>>,
    #[serde(borrow, rename = "messageId")]
    message_id_camel: Option<Text<'a>>,
    #[serde(borrow)]
    message_id: Option<Text<'a>>,
    #[serde(borrow, rename = "publishTime")]
    publish_time_camel: Option<Text<'a>>,
    #[serde(borrow)]
    publish_time: Option<Text<'a>>,
    #[serde(borrow, rename = "orderingKey")]
    ordering_key_camel: Option<Text<'a>>,
    #[serde(borrow)]
    ordering_key: Option<Text<'a>>,
}

/// A string of the body, which is not copied if it has no escapes. (serde copies an `Option<Cow<str>>` in any case.)
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Text<'_> {
    fn into_string(self) -> String {
        self.0.into_owned()
    }
}

/// A field in one of its two spellings. An empty one is none.
fn either<'a>(one: Option<Text<'a>>, other: Option<Text<'a>>) -> Option<Text<'a>> {
    [one, other].into_iter().flatten().find(|text| !text.0.is_empty())
}

impl Push {
    /// Parses a request's body, wrapped or not, or says what is wrong with it.
    pub fn read(headers: &HeaderMap, body: Bytes) -> Result<Self, String> {
        let seen = Seen::of(headers);
        match seen.form() {
            _ if seen.has_metadata => Ok(Self::unwrapped(headers, body)),
            Some(form) => Self::cloud_event(form, headers, body),
            None => Self::wrapped(&body),
        }
    }

    /// Parses a request's body for a subscriber that accepts bare bodies without metadata.
    pub fn read_or_bare(headers: &HeaderMap, body: Bytes) -> Result<Self, String> {
        if Seen::of(headers).form().is_some() {
            return Self::read(headers, body);
        }
        match Self::read(headers, body.clone()) {
            Ok(push) if push.is_named() => Ok(push),
            _ => Ok(Self::unwrapped(headers, body)),
        }
    }

    /// Whether it says which message it is, as each wrapper of Pub/Sub does. Content may have a member `message` as well.
    fn is_named(&self) -> bool {
        !self.id.is_empty() || !self.subscription.is_empty()
    }

    /// What identifies the message for its subscriber.
    pub fn identity(&self) -> Option<MessageIdentity<'_>> {
        MessageIdentity::of(&self.id, self.source.as_deref())
    }

    fn wrapped(body: &[u8]) -> Result<Self, String> {
        let push: Wrapped<'_> = json::decode(body)?;
        let message = push.message;
        let data = match message.data {
            Some(text) => decode_base64(&text.0).ok_or("message.data: it is not base64")?,
            None => Vec::new(),
        };
        Ok(Self {
            data: data.into(),
            attributes: message.attributes.unwrap_or_default(),
            id: either(message.message_id_camel, message.message_id)
                .map(Text::into_string)
                .unwrap_or_default(),
            publish_time: either(message.publish_time_camel, message.publish_time)
                .and_then(|text| time(Some(&*text.0))),
            ordering_key: either(message.ordering_key_camel, message.ordering_key).map(Text::into_string),
            delivery_attempt: push.delivery_attempt,
            subscription: push.subscription.map(Text::into_string).unwrap_or_default(),
            source: None,
        })
    }

    /// The wrapped body of this message, as Pub/Sub sends it.
    pub fn to_body(&self) -> Vec<u8> {
        let id = (!self.id.is_empty()).then_some(self.id.as_str());
        let time = self.publish_time.map(rfc3339_millis);
        let body = Body {
            message: BodyMessage {
                attributes: (!self.attributes.is_empty()).then_some(&self.attributes),
                data: STANDARD.encode(&self.data),
                message_id: id,
                message_id_snake: id,
                ordering_key: self.ordering_key.as_deref(),
                publish_time: time.as_deref(),
                publish_time_snake: time.as_deref(),
            },
            subscription: &self.subscription,
            delivery_attempt: self.delivery_attempt,
        };
        // Strings and numbers always serialize.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    message: BodyMessage<'a>,
    subscription: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_attempt: Option<u32>,
}

#[derive(Serialize)]
struct BodyMessage<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<&'a Attributes>,
    data: String,
    #[serde(rename = "messageId", skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    #[serde(rename = "message_id", skip_serializing_if = "Option::is_none")]
    message_id_snake: Option<&'a str>,
    #[serde(rename = "orderingKey", skip_serializing_if = "Option::is_none")]
    ordering_key: Option<&'a str>,
    #[serde(rename = "publishTime", skip_serializing_if = "Option::is_none")]
    publish_time: Option<&'a str>,
    #[serde(rename = "publish_time", skip_serializing_if = "Option::is_none")]
    publish_time_snake: Option<&'a str>,
}

/// Accepts padding and both alphabets, as protobuf's JSON mapping does.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE.decode(text))
        .or_else(|_| STANDARD_NO_PAD.decode(text))
        .or_else(|_| URL_SAFE_NO_PAD.decode(text))
        .ok()
}

fn time(text: Option<&str>) -> Option<SystemTime> {
    text?.parse::<jiff::Timestamp>().ok().map(SystemTime::from)
}
