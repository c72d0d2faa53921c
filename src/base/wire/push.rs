//! The body of a Pub/Sub push: what really arrives, and what we send where we are the one who pushes.
//!
//! Sources: <https://cloud.google.com/pubsub/docs/push#receive_push>, `google/pubsub/v1/pubsub.proto` (`PushConfig`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, header};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::base::json;
use crate::base::wire::publication::Attributes;

const SUBSCRIPTION: &str = "x-goog-pubsub-subscription-name";
const MESSAGE_ID: &str = "x-goog-pubsub-message-id";
const PUBLISH_TIME: &str = "x-goog-pubsub-publish-time";
const ORDERING_KEY: &str = "x-goog-pubsub-ordering-key";
const DELIVERY_ATTEMPT: &str = "x-goog-pubsub-delivery-attempt";

/// A message that was pushed, its content not yet parsed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Push {
    pub data: Bytes,
    pub attributes: Attributes,
    pub id: String,
    pub publish_time: Option<SystemTime>,
    pub ordering_key: Option<String>,
    pub delivery_attempt: Option<u32>,
    pub subscription: String,
}

/// The wrapped form. Both spellings of a field arrive together, so each has a place of its own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped<'a> {
    #[serde(borrow)]
    message: WrappedMessage<'a>,
    subscription: Option<String>,
    delivery_attempt: Option<u32>,
}

#[derive(Deserialize)]
struct WrappedMessage<'a> {
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
    attributes: Option<BTreeMap<String, String>>,
    #[serde(rename = "messageId")]
    message_id_camel: Option<String>,
    message_id: Option<String>,
    #[serde(rename = "publishTime")]
    publish_time_camel: Option<String>,
    publish_time: Option<String>,
    #[serde(rename = "orderingKey")]
    ordering_key_camel: Option<String>,
    ordering_key: Option<String>,
}

impl Push {
    /// Reads a request's body, wrapped or not, or says what is wrong with it.
    pub(crate) fn read(headers: &HeaderMap, body: Bytes) -> Result<Self, String> {
        if headers.contains_key(SUBSCRIPTION) || headers.contains_key(MESSAGE_ID) {
            Ok(Self::unwrapped(headers, body))
        } else {
            Self::wrapped(&body)
        }
    }

    fn wrapped(body: &[u8]) -> Result<Self, String> {
        let push: Wrapped<'_> = json::decode(body)?;
        let message = push.message;
        let data = match message.data {
            Some(text) => decode_base64(&text).ok_or("message.data: it is not base64")?,
            None => Vec::new(),
        };
        Ok(Self {
            data: data.into(),
            attributes: message.attributes.unwrap_or_default(),
            id: message
                .message_id_camel
                .or(message.message_id)
                .unwrap_or_default(),
            publish_time: time(message.publish_time_camel.or(message.publish_time).as_deref()),
            ordering_key: message
                .ordering_key_camel
                .or(message.ordering_key)
                .filter(|key| !key.is_empty()),
            delivery_attempt: push.delivery_attempt,
            subscription: push.subscription.unwrap_or_default(),
        })
    }

    /// The form without a wrapper: the data is the body, what there is to say of it stands in headers.
    fn unwrapped(headers: &HeaderMap, body: Bytes) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let attributes = headers
            .iter()
            .filter(|(name, _)| !is_of_the_request(name.as_str()))
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        Self {
            data: body,
            attributes,
            id: text(MESSAGE_ID).unwrap_or_default().to_owned(),
            publish_time: time(text(PUBLISH_TIME)),
            ordering_key: text(ORDERING_KEY).map(str::to_owned),
            delivery_attempt: text(DELIVERY_ATTEMPT).and_then(|attempt| attempt.parse().ok()),
            subscription: text(SUBSCRIPTION).unwrap_or_default().to_owned(),
        }
    }

    /// The wrapped body of this message, as Pub/Sub pushes it.
    pub(crate) fn to_body(&self) -> Vec<u8> {
        let id = (!self.id.is_empty()).then_some(self.id.as_str());
        let time = self
            .publish_time
            .map(|time| humantime::format_rfc3339_millis(time).to_string());
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

#[cfg(feature = "testing")]
impl Push {
    /// What a push without a wrapper says in headers, attributes included; or which attribute no header can carry.
    pub(crate) fn to_unwrapped_headers(&self) -> Result<HeaderMap, String> {
        let time = self
            .publish_time
            .map(|time| humantime::format_rfc3339_millis(time).to_string());
        let attempt = self.delivery_attempt.map(|attempt| attempt.to_string());
        let told = [
            (SUBSCRIPTION, Some(&self.subscription)),
            (MESSAGE_ID, Some(&self.id)),
            (PUBLISH_TIME, time.as_ref()),
            (ORDERING_KEY, self.ordering_key.as_ref()),
            (DELIVERY_ATTEMPT, attempt.as_ref()),
        ];
        let told = told.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let attributes = self.attributes.iter().map(|(key, value)| (key.as_str(), value));
        told.chain(attributes)
            .map(|(name, value)| {
                let pair = name.parse::<HeaderName>().ok().zip(value.parse().ok());
                pair.ok_or_else(|| {
                    format!("no header can carry {name:?}: {value:?}, as a push without a wrapper would")
                })
            })
            .collect()
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

/// Padded or not, of either alphabet: JSON of protobuf allows all of them.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE.decode(text))
        .or_else(|_| STANDARD_NO_PAD.decode(text))
        .or_else(|_| URL_SAFE_NO_PAD.decode(text))
        .ok()
}

fn time(text: Option<&str>) -> Option<SystemTime> {
    humantime::parse_rfc3339(text?).ok()
}

/// A header that the request has of itself; in an unwrapped push all others are attributes of the message.
fn is_of_the_request(name: &str) -> bool {
    const OWN: &[HeaderName] = &[
        header::ACCEPT,
        header::ACCEPT_ENCODING,
        header::AUTHORIZATION,
        header::CONNECTION,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::FORWARDED,
        header::FROM,
        header::HOST,
        header::TE,
        header::TRANSFER_ENCODING,
        header::USER_AGENT,
        header::VIA,
    ];
    OWN.iter().any(|own| own == name)
        || [
            "x-goog-pubsub-",
            "x-forwarded-",
            "x-cloud-trace-",
            "x-appengine-",
            "x-google-",
        ]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// The header of a forwarded task that holds what there is to say of the message beside content and attributes.
const MESSAGE: HeaderName = HeaderName::from_static("x-cloud-tasks-message");

/// The body of the task that a subscriber forwards a message to: content and attributes alone, since the original calls
/// the subscriber with every member as an argument.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Forwarded {
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    content: Option<Box<RawValue>>,
    /// Content that is no JSON, or not to the letter, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    attributes: Option<Attributes>,
}

/// What else there is to say of a forwarded message, form-encoded in the header [`MESSAGE`].
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct ForwardedMessage {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publish_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ordering_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<String>,
}

/// A member that is there; `null` is content as well.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// The subscription and the id of the message that a task was made of; empty where its headers do not tell.
pub(crate) fn forwarded_ids(headers: &HeaderMap) -> (String, String) {
    let message = read_message(headers);
    (
        message.subscription.unwrap_or_default(),
        message.id.unwrap_or_default(),
    )
}

fn read_message(headers: &HeaderMap) -> ForwardedMessage {
    headers
        .get(MESSAGE)
        .and_then(|text| serde_urlencoded::from_bytes(text.as_bytes()).ok())
        .unwrap_or_default()
}

impl Push {
    /// The body of the task that this message is forwarded to.
    pub(crate) fn to_forwarded_body(&self) -> Vec<u8> {
        let content = serde_json::from_slice::<Box<RawValue>>(&self.data)
            .ok()
            // Blanks around it would be lost, which a parser of the user's own may look at.
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
    pub(crate) fn to_forwarded_header(&self) -> (HeaderName, String) {
        let message = ForwardedMessage {
            id: Some(self.id.clone()).filter(|id| !id.is_empty()),
            publish_time: self
                .publish_time
                .map(|time| humantime::format_rfc3339_millis(time).to_string()),
            ordering_key: self.ordering_key.clone(),
            subscription: Some(self.subscription.clone()).filter(|name| !name.is_empty()),
        };
        // Strings always encode.
        (MESSAGE, serde_urlencoded::to_string(message).unwrap_or_default())
    }

    /// Reads the body of a task that a message was forwarded to; one that the original forwarded has no such header.
    pub(crate) fn read_forwarded(headers: &HeaderMap, body: &[u8]) -> Result<Self, String> {
        let body: Forwarded = json::decode(body)?;
        let message = read_message(headers);
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
            ordering_key: message.ordering_key,
            delivery_attempt: None,
            subscription: message.subscription.unwrap_or_default(),
        })
    }
}
