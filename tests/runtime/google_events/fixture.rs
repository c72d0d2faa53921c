//! Fixtures, and the requests in which Google sends them.

use std::collections::BTreeMap;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use http::{HeaderValue, Request};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

const ID: &str = "7718349201553344";
const PUBLISHED: &str = "2026-03-01T06:30:02.345Z";
const SUBSCRIPTION: &str = "projects/linden-shop/subscriptions/shop--events";

/// A message of Pub/Sub, or a CloudEvent.
#[derive(Deserialize)]
pub(super) struct Fixture {
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) members: BTreeMap<String, String>,
    data: Option<Box<RawValue>>,
    text: Option<String>,
}

/// How a message of Pub/Sub arrives.
#[derive(Clone, Copy, Debug)]
pub(super) enum MessageForm {
    Wrapped,
    /// The alphabet of base64 that Gmail's data has.
    WrappedUrlSafe,
    /// With metadata in headers.
    Unwrapped,
    /// Without metadata.
    Bare,
    /// As the data of a CloudEvent in binary mode.
    EventarcBinary,
    /// As the data of a CloudEvent in structured mode.
    EventarcStructured,
}

/// How a CloudEvent arrives.
#[derive(Clone, Copy, Debug)]
pub(super) enum EventForm {
    Binary,
    /// Values with special characters are in double quotes.
    BinaryQuoted,
    Structured,
    StructuredBase64,
    /// As a push of Pub/Sub with the members as attributes: what Eventarc sends if no header can carry a member.
    PubsubBinding,
}

macro_rules! fixture {
    ($name:literal) => {
        $crate::google_events::fixture::Fixture::read(include_str!(concat!(
            "../../fixtures/google_events/",
            $name,
            ".json"
        )))
    };
}
pub(super) use fixture;

impl Fixture {
    pub(super) fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap()
    }

    /// A message without attributes and with this data.
    pub(super) fn with_text(text: String) -> Self {
        Self {
            attributes: BTreeMap::new(),
            members: BTreeMap::new(),
            data: None,
            text: Some(text),
        }
    }

    pub(super) fn member(mut self, name: &str, value: &str) -> Self {
        self.members.insert(name.to_owned(), value.to_owned());
        self
    }

    fn data(&self) -> &str {
        let json = self.data.as_ref().map(|data| data.get());
        json.or(self.text.as_deref()).unwrap_or_default()
    }

    /// The request that delivers this message.
    pub(super) fn message(&self, path: &str, form: MessageForm) -> Request<Body> {
        let request = Request::post(path);
        let wrapped = push(&self.attributes, &STANDARD.encode(self.data()));
        let event = json!({
            "specversion": "1.0",
            "id": ID,
            "source": "//pubsub.googleapis.com/projects/linden-shop/topics/events",
            "type": "google.cloud.pubsub.topic.v1.messagePublished",
            "time": PUBLISHED,
            "datacontenttype": "application/json",
            "data": wrapped,
        });
        let built = match form {
            MessageForm::Wrapped => request
                .header("content-type", "application/json")
                .body(wrapped.to_string().into()),
            MessageForm::WrappedUrlSafe => request.body(
                push(&self.attributes, &URL_SAFE.encode(self.data()))
                    .to_string()
                    .into(),
            ),
            MessageForm::Unwrapped => {
                let mut request = request
                    .header("x-goog-pubsub-subscription-name", SUBSCRIPTION)
                    .header("x-goog-pubsub-message-id", ID)
                    .header("x-goog-pubsub-publish-time", PUBLISHED);
                // A request with a slash in the name of a header is rejected; see the test with a real server.
                let names = self.attributes.iter().filter(|(name, _)| !name.contains('/'));
                for (name, value) in names {
                    request = request.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
                }
                request.body(self.data().to_owned().into())
            }
            MessageForm::Bare => request.body(self.data().to_owned().into()),
            MessageForm::EventarcBinary => request
                .header("content-type", "application/json")
                .header("ce-specversion", "1.0")
                .header("ce-id", ID)
                .header("ce-source", event["source"].as_str().unwrap())
                .header("ce-type", event["type"].as_str().unwrap())
                .header("ce-time", PUBLISHED)
                .body(wrapped.to_string().into()),
            MessageForm::EventarcStructured => request
                .header("content-type", "application/cloudevents+json; charset=UTF-8")
                .body(event.to_string().into()),
        };
        built.unwrap()
    }

    /// The request that delivers this event.
    pub(super) fn event(&self, path: &str, form: EventForm) -> Request<Body> {
        match form {
            EventForm::Binary => self.binary(path, percent_encoded),
            EventForm::BinaryQuoted => self.binary(path, quoted),
            EventForm::Structured => self.structured(path, "data", self.data().to_owned()),
            EventForm::StructuredBase64 => {
                let data = format!("{:?}", STANDARD.encode(self.data()));
                self.structured(path, "data_base64", data)
            }
            EventForm::PubsubBinding => {
                let attributes = self
                    .members
                    .iter()
                    .map(|(name, value)| (format!("ce-{name}"), value.clone()));
                let body = push(&attributes.collect(), &STANDARD.encode(self.data()));
                Request::post(path).body(body.to_string().into()).unwrap()
            }
        }
    }

    fn binary(&self, path: &str, encode: fn(&str) -> String) -> Request<Body> {
        let mut request = Request::post(path).header("content-type", &self.members["datacontenttype"]);
        for (name, value) in self.members.iter().filter(|(name, _)| *name != "datacontenttype") {
            request = request.header(format!("ce-{name}"), encode(value));
        }
        request.body(self.data().to_owned().into()).unwrap()
    }

    fn structured(&self, path: &str, name: &str, data: String) -> Request<Body> {
        let mut event: BTreeMap<&str, Box<RawValue>> = self
            .members
            .iter()
            .map(|(name, value)| (name.as_str(), serde_json::value::to_raw_value(value).unwrap()))
            .collect();
        event.insert(name, RawValue::from_string(data).unwrap());
        Request::post(path)
            .header("content-type", "application/cloudevents+json")
            .body(serde_json::to_string(&event).unwrap().into())
            .unwrap()
    }
}

/// The body of a push, with both spellings of each name, and members that nobody documents.
fn push(attributes: &BTreeMap<String, String>, data: &str) -> Value {
    let mut message = json!({
        "@type": "type.googleapis.com/google.pubsub.v1.PubsubMessage",
        "messageId": ID,
        "message_id": ID,
        "publishTime": PUBLISHED,
        "publish_time": PUBLISHED,
    });
    if !attributes.is_empty() {
        message["attributes"] = json!(attributes);
    }
    if !data.is_empty() {
        message["data"] = json!(data);
    }
    json!({"message": message, "subscription": SUBSCRIPTION})
}

/// A member in a header. Source:
/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#3132-http-header-values>.
fn percent_encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |text, byte| match byte {
        b' ' | b'"' | b'%' => format!("{text}%{byte:02X}"),
        b'!'..=b'~' => format!("{text}{}", char::from(byte)),
        _ => format!("{text}%{byte:02X}"),
    })
}

/// A member in a header, between double quotes, as older senders write it.
fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
    let encoded = escaped.bytes().fold(String::new(), |text, byte| match byte {
        b' '..=b'$' | b'&'..=b'~' => format!("{text}{}", char::from(byte)),
        _ => format!("{text}%{byte:02X}"),
    });
    format!("\"{encoded}\"")
}
