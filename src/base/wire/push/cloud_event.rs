//! CloudEvents from Eventarc and Firebase, read as messages with their `ce-` members as attributes.
//!
//! Source: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use percent_encoding::percent_decode;
use serde_json::value::RawValue;

use super::{Push, decode_base64, time};
use crate::base::json;
use crate::base::wire::publication::Attributes;

const PREFIX: &str = "ce-";
/// The content type of an event in a JSON object.
const STRUCTURED: &str = "application/cloudevents+json";
/// The prefix of the content types of all other formats, and of several events in one request.
const FORMATS: [&str; 2] = ["application/cloudevents", "application/cloudevents-batch"];
const CONTENT_TYPE: &str = "ce-datacontenttype";
/// The event of Eventarc for a Pub/Sub message: its data is the body of a push.
const OF_PUBSUB: &str = "google.cloud.pubsub.topic.v1.messagePublished";

/// The form of an event in a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    /// Its members are headers, and its data is the body.
    Binary,
    /// The body contains everything.
    Structured,
    /// A format that is not read: several events in one request, or an encoding other than JSON.
    Unread,
}

/// The header of an event in the binary form.
pub(super) const VERSION: &str = "ce-specversion";

/// The form of the event, if the request is one, by its content type and whether it has the header [`VERSION`].
pub(super) fn form(content_type: Option<&HeaderValue>, has_version: bool) -> Option<Form> {
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let media_type = content_type.map(media_type).unwrap_or_default();
    let kind = media_type.split('+').next().unwrap_or_default();
    if media_type.eq_ignore_ascii_case(STRUCTURED) || media_type.eq_ignore_ascii_case(FORMATS[0]) {
        Some(Form::Structured)
    } else if FORMATS.iter().any(|format| kind.eq_ignore_ascii_case(format)) {
        Some(Form::Unread)
    } else {
        has_version.then_some(Form::Binary)
    }
}

/// A content type without its parameters.
fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok()
}

impl Push {
    pub(super) fn cloud_event(form: Form, headers: &HeaderMap, body: Bytes) -> Result<Self, String> {
        let (members, data) = match form {
            Form::Binary => (binary(headers), body),
            Form::Structured => structured(&body)?,
            Form::Unread => {
                return Err(format!(
                    "the CloudEvents are in a format that is not read: send one event per request, in binary mode or as {STRUCTURED}"
                ));
            }
        };
        let required = |name: &str| {
            let value = members
                .get(&format!("{PREFIX}{name}"))
                .filter(|value| !value.is_empty());
            value.ok_or_else(|| format!("the CloudEvent has no `{name}`"))
        };
        required("specversion")?;
        let (id, source) = (required("id")?.clone(), required("source")?.clone());
        if required("type")? == OF_PUBSUB {
            let mut push = Self::wrapped(&data)?;
            for (name, value) in members {
                push.attributes.entry(name).or_insert(value);
            }
            return Ok(push);
        }
        Ok(Self {
            data,
            id,
            subscription: source.clone(),
            source: Some(source),
            publish_time: time(members.get("ce-time").map(String::as_str)),
            ordering_key: None,
            delivery_attempt: None,
            attributes: members,
        })
    }
}

/// The members in headers, whose values may be quoted and percent-encoded.
fn binary(headers: &HeaderMap) -> Attributes {
    let members = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with(PREFIX))
        .map(|(name, value)| {
            let value = unquoted(value.as_bytes());
            let value = percent_decode(&value).decode_utf8_lossy().into_owned();
            (name.as_str().to_owned(), value)
        });
    let content_type = content_type(headers).map(|value| (CONTENT_TYPE.to_owned(), value.to_owned()));
    content_type.into_iter().chain(members).collect()
}

/// The text of a quoted string of RFC 9110, 5.6.4; any other value stays as it is.
fn unquoted(value: &[u8]) -> Cow<'_, [u8]> {
    let Some(quoted) = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
    else {
        return value.into();
    };
    let mut text = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => text.extend(bytes.next()),
            // A quote inside that is not escaped: this is not a quoted string.
            b'"' => return value.into(),
            byte => text.push(*byte),
        }
    }
    text.into()
}

/// The members and the data of an event in a JSON object.
fn structured(body: &[u8]) -> Result<(Attributes, Bytes), String> {
    let object: BTreeMap<Cow<'_, str>, &RawValue> = json::decode(body)?;
    let mut members = Attributes::new();
    for (name, value) in &object {
        if matches!(&**name, "data" | "data_base64") || value.get() == "null" {
            continue;
        }
        // Strings are unquoted; numbers and booleans stay as written.
        let text = serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned());
        members.insert(format!("{PREFIX}{name}"), text);
    }
    let encoded = object.get("data_base64").filter(|value| value.get() != "null");
    let data = match (encoded, object.get("data")) {
        (Some(encoded), _) => serde_json::from_str::<Cow<'_, str>>(encoded.get())
            .ok()
            .and_then(|text| decode_base64(&text))
            .ok_or("data_base64: it is not base64")?
            .into(),
        (None, Some(data)) => plain(data, members.get(CONTENT_TYPE).map(String::as_str)),
        (None, None) => Bytes::new(),
    };
    Ok((members, data))
}

/// The data as in the binary form: JSON, unless it is a string of another type.
fn plain(data: &RawValue, content_type: Option<&str>) -> Bytes {
    let media_type = content_type.map(media_type);
    let is_json = media_type.is_none_or(|text| text.ends_with("/json") || text.ends_with("+json"));
    let text = serde_json::from_str::<String>(data.get())
        .ok()
        .filter(|_| !is_json);
    text.map_or_else(|| Bytes::copy_from_slice(data.get().as_bytes()), Bytes::from)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use http::HeaderName;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    const BINARY: &[(&str, &str)] = &[
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "7"),
        ("ce-source", "//storage.googleapis.com/projects/_/buckets/b"),
        ("ce-type", "google.cloud.storage.object.v1.finalized"),
        ("ce-subject", "objects/%C3%BC.txt"),
        ("ce-time", "2026-01-02T03:04:05.678901+01:00"),
        ("authorization", "Bearer x"),
    ];

    fn structured_event() -> Value {
        json!({
            "specversion": "1.0",
            "id": "7",
            "source": "//storage.googleapis.com/projects/_/buckets/b",
            "type": "google.cloud.storage.object.v1.finalized",
            "subject": "objects/ü.txt",
            "time": "2026-01-02T03:04:05.678901+01:00",
            "datacontenttype": "application/json",
            "data": {"name": "a"},
        })
    }

    const JSON: &[(&str, &str)] = &[("content-type", "application/cloudevents+json; charset=utf-8")];

    #[test]
    fn both_forms_of_an_event_are_the_same_message() {
        let binary = Push::read(&headers(BINARY), r#"{"name":"a"}"#.into()).unwrap();
        let structured = Push::read(&headers(JSON), structured_event().to_string().into()).unwrap();

        assert_eq!(binary, structured);
        assert_eq!(
            (&*binary.data, binary.id.as_str()),
            (&br#"{"name":"a"}"#[..], "7")
        );
        assert_eq!(binary.attributes["ce-subject"], "objects/ü.txt");
        assert_eq!(
            binary.attributes["ce-type"],
            "google.cloud.storage.object.v1.finalized"
        );
        assert!(!binary.attributes.contains_key("authorization"));
        assert_eq!(
            binary
                .publish_time
                .map(crate::base::time::rfc3339_millis)
                .as_deref(),
            Some("2026-01-02T02:04:05.678Z")
        );
    }

    #[test]
    fn a_member_in_a_header_is_unquoted_and_decoded_once() {
        for (header, expected) in [
            ("objects/a b.txt", "objects/a b.txt"),
            ("objects/%C3%BC%20%22x%22.txt", "objects/ü \"x\".txt"),
            ("objects/100%25.txt", "objects/100%.txt"),
            ("objects/100%.txt", "objects/100%.txt"),
            ("objects/a%2525.txt", "objects/a%25.txt"),
            ("\"objects/a b.txt\"", "objects/a b.txt"),
            (r#""a \"b\" \\ %25""#, r#"a "b" \ %"#),
            ("\"\"", ""),
            ("\"", "\""),
            ("\"a\" and \"b\"", "\"a\" and \"b\""),
        ] {
            let mut pairs = BINARY.to_vec();
            pairs[5].1 = header;

            let push = Push::read(&headers(&pairs), Bytes::new()).unwrap();

            assert_eq!(push.attributes["ce-subject"], expected, "{header}");
        }
    }

    #[test]
    fn data_of_any_kind_arrives_as_the_content() {
        for (members, data) in [
            (json!({"data": {"a": 1.5}}), r#"{"a":1.5}"#),
            (json!({"data": "text"}), r#""text""#),
            (json!({"data": "text", "datacontenttype": "text/plain"}), "text"),
            (
                json!({"data": "text", "datacontenttype": "application/problem+json"}),
                r#""text""#,
            ),
            (json!({"data_base64": STANDARD.encode("bytes")}), "bytes"),
            (json!({"data": null}), "null"),
            (json!({"data": 1, "data_base64": null}), "1"),
            (json!({"data_base64": null}), ""),
            (json!({}), ""),
        ] {
            let mut event = structured_event();
            let object = event.as_object_mut().unwrap();
            object.remove("data");
            object.remove("datacontenttype");
            object.extend(members.as_object().unwrap().clone());

            let push = Push::read(&headers(JSON), event.to_string().into()).unwrap();

            assert_eq!(push.data, data, "{members}");
        }
    }

    #[test]
    fn an_event_of_a_pubsub_message_is_that_message() {
        let body = json!({
            "message": {"data": STANDARD.encode("7"), "messageId": "42", "attributes": {"a": "b"}},
            "subscription": "projects/p/subscriptions/s",
        });
        let mut pairs = BINARY.to_vec();
        pairs[4].1 = OF_PUBSUB;

        let push = Push::read(&headers(&pairs), body.to_string().into()).unwrap();

        assert_eq!((&*push.data, push.id.as_str()), (&b"7"[..], "42"));
        assert_eq!((&*push.attributes["a"], &*push.attributes["ce-id"]), ("b", "7"));
    }

    #[test]
    fn what_an_event_lacks_is_named() {
        for name in ["id", "source", "type"] {
            let pairs: Vec<_> = BINARY
                .iter()
                .copied()
                .filter(|(key, _)| *key != format!("ce-{name}"))
                .collect();
            let mut event = structured_event();
            event[name] = Value::Null;

            let binary = Push::read(&headers(&pairs), Bytes::new());
            let structured = Push::read(&headers(JSON), event.to_string().into());

            assert_eq!(binary, Err(format!("the CloudEvent has no `{name}`")));
            assert_eq!(structured, binary);
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_reading_an_event_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Push::read(&headers(JSON), body.clone().into());
            let _ = Push::read(&headers(BINARY), body.into());
        }
    }
}
