//! Headers that travel inside a message: in its content, and as attributes.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::base::wire::publication::{Attributes, Publication, TRACE_PREFIX};

/// Those that Google's own clients carry as attributes, under a prefix of theirs.
const TRACE: &[&str] = &["traceparent", "tracestate"];

/// Puts headers into a message: under `key` where its content is a JSON object, and as attributes that are still free.
pub(crate) fn write(publication: &mut Publication, headers: &HeaderMap, key: &str) {
    let carried: serde_json::Map<String, serde_json::Value> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.into())))
        .collect();
    for (name, value) in &carried {
        let attribute = attribute_of(name).into_owned();
        let free = publication.attributes.len() < 100 && !publication.attributes.contains_key(&attribute);
        if let Some(value) = value.as_str().filter(|value| free && value.len() <= 1024) {
            publication.attributes.insert(attribute, value.to_owned());
        }
    }
    if let Some(data) = with_member(&publication.data, key, &serde_json::Value::Object(carried)) {
        publication.data = data;
    }
}

/// Takes allowed headers out of a message, and their member out of its content.
///
/// Only names of the allow-list are ever taken: a publisher must not be able to set `Authorization`.
pub(crate) fn read(
    data: Bytes,
    attributes: &Attributes,
    key: &str,
    allowed: &[HeaderName],
) -> (Bytes, HeaderMap) {
    let mut headers = HeaderMap::new();
    let (data, carried) = without_member(data, key);
    for name in allowed {
        let in_content = carried
            .iter()
            .find(|(carried, _)| name.as_str().eq_ignore_ascii_case(carried))
            .and_then(|(_, value)| value.as_str());
        let value = in_content.or_else(|| attributes.get(&*attribute_of(name.as_str())).map(String::as_str));
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name.clone(), value);
        }
    }
    (data, headers)
}

fn attribute_of(header: &str) -> Cow<'_, str> {
    if TRACE.contains(&header) {
        format!("{TRACE_PREFIX}{header}").into()
    } else {
        header.into()
    }
}

/// The object with one more member at its end; `None` where the data is no object, or has that member.
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

/// The object without a member, and the member; every other one stays to the letter, numbers too.
fn without_member(data: Bytes, key: &str) -> (Bytes, serde_json::Map<String, serde_json::Value>) {
    let none = serde_json::Map::new();
    // Most messages carry nothing, and their content need not be read twice for that.
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
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

/// The members of a JSON object, in their order, unread.
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

/// A member's name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
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
        write(&mut publication, &headers(), KEY);
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

        write(&mut publication, &headers(), KEY);

        assert_eq!(publication.attributes["googclient_traceparent"], "mine");
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
