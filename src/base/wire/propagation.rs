//! Propagation of headers inside messages: in the content, and as attributes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::base::wire::headers::{Propagated, propagated_name};
use crate::base::wire::publication::{Attributes, Publication};

/// Headers that Google's own clients send as attributes, under names of their own.
const TRACE: &[(&str, &str)] = &[
    ("traceparent", "googclient_traceparent"),
    ("tracestate", "googclient_tracestate"),
];

/// Adds headers to a message: as attributes that are not taken, and under a `key` if its content is a JSON object.
pub(crate) fn write(publication: &mut Publication, headers: &HeaderMap, key: Option<&str>) {
    let carried: serde_json::Map<String, serde_json::Value> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.into())))
        .collect();
    for (name, value) in &carried {
        let attribute = attribute_of(name).to_owned();
        let free = publication.attributes.len() < 100 && !publication.attributes.contains_key(&attribute);
        if let Some(value) = value.as_str().filter(|value| free && value.len() <= 1024) {
            publication.attributes.insert(attribute, value.to_owned());
        }
    }
    let data = key.and_then(|key| with_member(&publication.data, key, &serde_json::Value::Object(carried)));
    if let Some(data) = data {
        publication.data = data;
    }
}

/// Extracts allowed headers from a message, and removes their member from its content.
///
/// Only names on the allow-list are read: a publisher must not be able to set `Authorization`.
pub(crate) fn read(
    data: Bytes,
    attributes: &Attributes,
    key: &str,
    allowed: &[HeaderName],
) -> (Bytes, HeaderMap) {
    let mut headers = Propagated::default();
    let (data, carried) = without_member(data, key);
    for name in allowed {
        let in_content = carried
            .iter()
            .find(|(carried, _)| name.as_str().eq_ignore_ascii_case(carried))
            .and_then(|(_, value)| value.as_str());
        let in_attributes = attributes.get(attribute_of(name.as_str())).map(String::as_str);
        let mut values = [in_content, in_attributes];
        // A valid trace takes precedence over an invalid one, wherever it is.
        if in_content.is_some() && in_attributes.is_some() {
            values.sort_by_key(|value| !value.is_some_and(|value| is_whole(name, value)));
        }
        let _ = values
            .iter()
            .flatten()
            .any(|value| headers.add(name, value.as_bytes()));
    }
    (data, headers.into_headers())
}

/// The headers that a publisher's task adds to its message; they override propagated ones.
pub(crate) fn merge(sent: &BTreeMap<String, serde_json::Value>, anyway: &HeaderMap) -> HeaderMap {
    let mut headers = Propagated::default();
    for (name, value) in sent {
        // In another spelling it is the same header.
        if let (Ok(name), Some(value)) = (propagated_name(name), value.as_str())
            && !headers.contains(&name)
        {
            headers.add(&name, value.as_bytes());
        }
    }
    let mut headers = headers.into_headers();
    for (name, value) in anyway {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    headers
}

/// Whether a `traceparent` is valid: version, trace, span and flags, none of them zero. Source:
/// <https://www.w3.org/TR/trace-context/#traceparent-header>. Other headers have no known format.
fn is_whole(name: &HeaderName, value: &str) -> bool {
    if name != "traceparent" {
        return true;
    }
    let lengths = [2, 32, 16, 2];
    let parts: Vec<_> = value.split('-').collect();
    let is_hex = |part: &str| {
        part.bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let is_zero = |part: &str| part.bytes().all(|b| b == b'0');
    parts.len() >= lengths.len()
        && (parts.len() == lengths.len() || parts[0] != "00")
        && parts
            .iter()
            .zip(lengths)
            .all(|(part, length)| part.len() == length && is_hex(part))
        && parts[0] != "ff"
        && !is_zero(parts[1])
        && !is_zero(parts[2])
}

fn attribute_of(header: &str) -> &str {
    TRACE
        .iter()
        .find(|(name, _)| *name == header)
        .map_or(header, |(_, attribute)| attribute)
}

/// The object with an additional last member; `None` if the data is not an object or already has that member.
fn with_member(data: &[u8], key: &str, value: &serde_json::Value) -> Option<Bytes> {
    let object: Members<'_> = serde_json::from_slice(data).ok()?;
    if object.0.iter().any(|(name, _)| name == key) {
        return None;
    }
    let end = data.iter().rposition(|byte| *byte == b'}')?;
    let mut out = Vec::with_capacity(data.len() + key.len() + 64);
    out.extend_from_slice(data[..end].trim_ascii_end());
    if !object.0.is_empty() {
        out.push(b',');
    }
    serde_json::to_writer(&mut out, key).ok()?;
    out.push(b':');
    serde_json::to_writer(&mut out, value).ok()?;
    out.push(b'}');
    Some(out.into())
}

/// The object without a member, and the member. All other members keep their exact text, including numbers.
fn without_member(data: Bytes, key: &str) -> (Bytes, serde_json::Map<String, serde_json::Value>) {
    let none = serde_json::Map::new();
    // Most messages have no propagated headers; this avoids parsing their content twice.
    if !contains(&data, key.as_bytes()) {
        return (data, none);
    }
    let Ok(object) = serde_json::from_slice::<Members<'_>>(&data) else {
        return (data, none);
    };
    let Some((_, found)) = object.0.iter().find(|(name, _)| name == key) else {
        return (data, none);
    };
    let carried = serde_json::from_str(found.get()).unwrap_or(none);
    let mut out = Vec::with_capacity(data.len());
    out.push(b'{');
    for (name, value) in object.0.iter().filter(|(name, _)| name != key) {
        if out.len() > 1 {
            out.push(b',');
        }
        // A string always serializes.
        let _ = serde_json::to_writer(&mut out, name);
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
    }
    out.push(b'}');
    (out.into(), carried)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.first() else {
        return false;
    };
    let starts = text.iter().enumerate().filter(|(_, byte)| *byte == first);
    starts
        .map(|(at, _)| &text[at..])
        .any(|rest| rest.starts_with(part))
}

/// The unparsed members of a JSON object, in order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

/// A member's name, borrowed if it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const KEY: &str = "_http_headers";

    fn headers() -> HeaderMap {
        HeaderMap::from_iter([(
            HeaderName::from_static("traceparent"),
            HeaderValue::from_static("00-1"),
        )])
    }

    fn publication(data: impl Into<Bytes>) -> Publication {
        Publication {
            topic: "t".into(),
            data: data.into(),
            attributes: Attributes::new(),
            ordering_key: None,
        }
    }

    fn written(data: &str) -> Publication {
        let mut publication = publication(data.to_owned());
        write(&mut publication, &headers(), Some(KEY));
        publication
    }

    fn allowed() -> [HeaderName; 1] {
        [HeaderName::from_static("traceparent")]
    }

    #[test]
    fn headers_go_behind_the_last_member_of_an_object_and_nowhere_else() {
        for (data, expected) in [
            ("{}", r#"{"_http_headers":{"traceparent":"00-1"}}"#),
            (
                "{ \"a\": 1 }\n",
                r#"{ "a": 1,"_http_headers":{"traceparent":"00-1"}}"#,
            ),
            ("[1]", "[1]"),
            ("7", "7"),
            ("plain text", "plain text"),
            (r#"{"_http_headers": 1}"#, r#"{"_http_headers": 1}"#),
        ] {
            let publication = written(data);

            assert_eq!(publication.data, expected);
            assert_eq!(publication.attributes["googclient_traceparent"], "00-1");
        }
    }

    #[test]
    fn an_attribute_of_the_users_own_is_never_replaced() {
        let mut publication = publication("{}");
        publication
            .attributes
            .insert("googclient_traceparent".into(), "mine".into());

        write(&mut publication, &headers(), Some(KEY));

        assert_eq!(publication.attributes["googclient_traceparent"], "mine");
    }

    #[test]
    fn a_whole_trace_comes_before_a_broken_one_wherever_it_stands() {
        const WHOLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        const OTHER: &str = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        const ZERO: &str = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let long = "0".repeat(90_000);
        for (content, attribute, expected) in [
            (json!(WHOLE), Some(OTHER), Some(WHOLE)),
            (json!("broken"), Some(WHOLE), Some(WHOLE)),
            (json!(""), Some(WHOLE), Some(WHOLE)),
            (json!(ZERO), Some(WHOLE), Some(WHOLE)),
            (json!(long), Some(WHOLE), Some(WHOLE)),
            (json!("a\nb"), Some(WHOLE), Some(WHOLE)),
            (json!(7), Some(WHOLE), Some(WHOLE)),
            (json!("00-1"), None, Some("00-1")),
            (json!("00-1"), Some("00-2"), Some("00-1")),
            (json!(long), None, None),
            (json!("ü"), None, None),
        ] {
            let data = json!({"a": 1, KEY: {"traceparent": content}}).to_string();
            let attribute = attribute.map(|value| ("googclient_traceparent".to_owned(), value.to_owned()));

            let (left, headers) = read(data.into(), &attribute.into_iter().collect(), KEY, &allowed());

            assert_eq!(
                headers.get("traceparent").map(|value| value.to_str().unwrap()),
                expected
            );
            assert_eq!(left, r#"{"a":1}"#);
        }
    }

    #[test]
    fn what_a_task_is_told_to_carry_comes_first_and_nothing_reserved_is_taken() {
        let told_headers = json!({"Traceparent": "00-2", "traceparent": "00-3", "authorization": "Bearer x", "x-a": "1", "x-b": 7, "x-c": ""});
        let told_headers = serde_json::from_value(told_headers).unwrap();

        let all = merge(&told_headers, &headers());

        let pairs: BTreeMap<_, _> = all
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(pairs, BTreeMap::from([("traceparent", "00-2"), ("x-a", "1")]));
        assert_eq!(merge(&BTreeMap::new(), &headers()), headers());
    }

    proptest! {
        #[test]
        fn what_is_carried_comes_out_again_and_the_content_stays(content in "\\PC{0,20}", number: i64) {
            let data = json!({"text": content, "number": number}).to_string();

            let publication = written(&data);
            let (left, read) = read(publication.data, &Attributes::new(), KEY, &allowed());

            prop_assert_eq!(read, headers());
            prop_assert_eq!(serde_json::from_slice::<Value>(&left).ok(), serde_json::from_str(&data).ok());
        }

        #[test]
        fn no_bytes_make_reading_panic_or_let_another_header_in(data in proptest::collection::vec(any::<u8>(), 0..100)) {
            let (_, headers) = read(data.into(), &Attributes::new(), KEY, &allowed());
            prop_assert!(headers.keys().all(|name| name == "traceparent"));
        }

        #[test]
        fn a_member_of_that_name_is_stripped_whatever_it_is(before in "[a-z]{1,5}", value in "[1-9][0-9]{0,29}") {
            let data = format!(r#"{{"{before}": {value}, "_http_headers": [{{}}], "z": "\u00e9"}}"#);

            let (left, _) = read(data.into(), &Attributes::new(), KEY, &allowed());

            prop_assert_eq!(left, format!(r#"{{"{before}":{value},"z":"\u00e9"}}"#));
        }
    }
}
