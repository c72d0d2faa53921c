//! Encoding and decoding of arguments and events as JSON. Values that could not be decoded again are not sent, and
//! errors contain no values.

mod decode_error;
mod finite;
mod no_fields;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::Error;

use no_fields::{NoFields, has_no_fields};

pub(crate) use decode_error::reason;

/// Up to this size the encoded value is decoded once, which is cheap compared with the call; above it only debug builds
/// do so.
const DECODED_BYTES: usize = 64 * 1024;
/// The maximum depth of `serde_json`.
const MAX_DEPTH: usize = 127;

/// Encodes a task's arguments or an event's content; a struct without fields becomes `{}`.
///
/// # Errors
///
/// If the value does not serialize, contains NaN or an infinity, or could never be decoded again: otherwise every
/// attempt would fail.
pub(crate) fn encode<T: Serialize + DeserializeOwned>(value: &T) -> Result<Bytes, Error> {
    let json = encode_once(value)?;
    if cfg!(debug_assertions) || json.len() <= DECODED_BYTES {
        decode::<T>(&json).map_err(|reason| Error::custom(format!("its JSON does not decode: {reason}")))?;
    } else if is_too_deep(&json) {
        return Err(Error::custom(format!("it nests deeper than {MAX_DEPTH} levels")));
    }
    Ok(json.into())
}

/// Encodes a value without checking that it can be decoded.
///
/// # Errors
///
/// If the value does not serialize, or contains NaN or an infinity.
pub(crate) fn encode_once<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let json = encode_key(value)?;
    if matches!(&*json, b"null" | b"[]") && has_no_fields(value) {
        return Ok(b"{}".to_vec());
    }
    Ok(json)
}

/// Encodes the key of a unique task, which is never decoded.
///
/// # Errors
///
/// If the value does not serialize, or contains NaN or an infinity: as JSON these would all be equal.
pub(crate) fn encode_key<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    finite::check(value)?;
    serde_json::to_vec(value)
}

/// Whether JSON is nested too deeply to be decoded.
fn is_too_deep(json: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Decodes a value. The error says what is wrong and where, and never contains a value of the body.
pub(crate) fn decode<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, String> {
    // One check of the whole is cheaper than one of each string. A body that is not UTF-8 is read as far as it goes: the
    // mistake has a position, and may be in a member that nobody reads.
    let read = match std::str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(body),
    };
    let error = match read {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    // A peer may spell "no arguments" in any of these ways, also with spaces between the braces.
    let body_of_none = match body.trim_ascii() {
        b"" => serde_json::from_str("null").ok(),
        b"null" => None,
        [b'{', inner @ .., b'}'] if inner.trim_ascii().is_empty() => None,
        _ => return Err(decode_error::describe::<T>(body, &error)),
    };
    body_of_none
        .or_else(|| T::deserialize(NoFields).ok())
        .ok_or_else(|| match body.trim_ascii() {
            b"" => "the body is empty; expected the JSON of the task's arguments".to_owned(),
            _ => decode_error::describe::<T>(body, &error),
        })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        id: u64,
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Line {
        sku: String,
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Nothing;

    fn message(body: &str) -> String {
        decode::<Order>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_mistake_names_the_field_and_the_position_but_no_value() {
        for (body, expected) in [
            ("", "the body is empty; expected the JSON of the task's arguments"),
            ("{", "EOF while parsing an object at line 1 column 1"),
            ("{}", "missing field `id` at line 1 column 2"),
            (
                r#"{"id": "hunter2"}"#,
                "id: invalid type: string, expected u64 at line 1 column 16",
            ),
            (
                r#"{"id": -4}"#,
                "id: invalid value: integer, expected u64 at line 1 column 9",
            ),
            (
                r#"{"id": 1, "lines": [{"sku": 5}]}"#,
                "lines[0].sku: invalid type: integer, expected a string at line 1 column 29",
            ),
            (
                r#"{"id": 1, "hunter2": 3}"#,
                "hunter2: unknown field, expected `id` or `lines` at line 1 column 19",
            ),
            (
                r#"{"id": 1, "lines": []} x"#,
                "trailing characters at line 1 column 24",
            ),
        ] {
            assert_eq!(message(body), expected);
        }
    }

    #[test]
    fn a_task_without_fields_travels_as_an_empty_object() {
        assert_eq!(encode(&Nothing).unwrap(), "{}");
        for body in ["{}", " {} ", "{ }", "{\n}", "", "\n", "null", " null\n"] {
            assert_eq!(decode::<Nothing>(body.as_bytes()), Ok(Nothing), "{body:?}");
            assert_eq!(decode::<NoTuple>(body.as_bytes()), Ok(NoTuple()), "{body:?}");
            assert_eq!(decode::<NoMembers>(body.as_bytes()), Ok(NoMembers {}), "{body:?}");
        }
        for body in ["{{}}", "{}{}", "{,}", "[]]", "nul", "0"] {
            assert!(decode::<Nothing>(body.as_bytes()).is_err(), "{body:?}");
            assert!(decode::<NoMembers>(body.as_bytes()).is_err(), "{body:?}");
        }
        assert!(decode::<Nothing>(br#"{"a": 1}"#).is_err());
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct NoTuple();

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct NoMembers {}

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Filter(Option<HashMap<String, String>>);

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(transparent)]
    struct Anything(serde_json::Value);

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Optional {
        ratio: Option<f64>,
    }

    fn travels<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, json: &str) {
        let encoded = encode(value).unwrap();

        assert_eq!(encoded, json);
        assert_eq!(decode::<T>(&encoded).as_ref(), Ok(value));
    }

    #[test]
    fn only_what_has_no_fields_becomes_an_empty_object_and_null_stays_null() {
        travels(&Nothing, "{}");
        travels(&NoTuple(), "{}");
        travels(&NoMembers {}, "{}");
        travels(&Filter(None), "null");
        travels(&Filter(Some(HashMap::new())), "{}");
        travels(&Anything(serde_json::Value::Null), "null");
        travels(&Anything(serde_json::json!({})), "{}");
        travels(&None::<Order>, "null");
        travels(&(), "null");
        travels(&Optional { ratio: None }, r#"{"ratio":null}"#);
        assert_eq!(decode::<()>(b"{}"), Ok(()));
        assert!(decode::<Filter>(b"{}").is_ok_and(|filter| filter.0.is_some()));
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Flattened<K: std::hash::Hash + Eq, V> {
        #[serde(flatten)]
        rest: HashMap<K, V>,
    }

    fn refusal<T: Serialize + DeserializeOwned>(value: &T) -> String {
        encode(value).unwrap_err().to_string()
    }

    #[test]
    fn what_could_never_be_decoded_is_not_encoded() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(
                refusal(&Optional { ratio: Some(number) }),
                "ratio: NaN and infinity have no JSON"
            );
            assert_eq!(refusal(&vec![1.0, number]), "[1]: NaN and infinity have no JSON");
            assert_eq!(refusal(&number), "NaN and infinity have no JSON");
            assert!(encode_key(&Some(number)).is_err());
        }
        let large = Flattened {
            rest: HashMap::from([("a".to_owned(), u128::MAX)]),
        };
        assert!(
            refusal(&large).starts_with("its JSON does not decode: "),
            "{}",
            refusal(&large)
        );
        let keyed = Flattened {
            rest: HashMap::from([(7_u32, 1)]),
        };
        assert!(
            refusal(&keyed).starts_with("its JSON does not decode: "),
            "{}",
            refusal(&keyed)
        );
    }

    fn nested(levels: usize) -> serde_json::Value {
        (1..levels).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]))
    }

    #[test]
    fn nesting_is_refused_where_it_could_not_be_read() {
        assert!(encode(&nested(127)).is_ok());
        assert!(encode(&nested(128)).is_err());
        for (levels, too_deep) in [(127, false), (128, true)] {
            assert_eq!(is_too_deep(nested(levels).to_string().as_bytes()), too_deep);
        }
        let text = serde_json::json!("[".repeat(500) + "\\\"");
        assert!(!is_too_deep(text.to_string().as_bytes()));
    }

    #[derive(Debug, Deserialize)]
    enum Never {}

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}

    #[test]
    fn no_value_is_told_however_it_is_dressed_up() {
        let secret = "hunter2, expected hunter2";
        let text = serde_json::json!({ secret: secret }).to_string();
        let quoted = serde_json::json!(secret).to_string();
        let variant = decode::<Never>(quoted.as_bytes()).unwrap_err();
        let number = decode::<u8>(quoted.as_bytes()).unwrap_err();
        let nothing = decode::<Never>(text.as_bytes()).unwrap_err();
        let field = decode::<Empty>(text.as_bytes()).unwrap_err();

        for told in [variant, number, nothing] {
            assert!(!told.contains("hunter2"), "{told}");
        }
        // Only the beginning of the key is quoted, and nothing follows it.
        assert!(field.ends_with("unknown field at line 1 column 28"), "{field}");
    }

    #[test]
    fn a_key_makes_no_line_of_its_own() {
        let body = serde_json::json!({"a\nERROR forged \u{1b}[2J\u{202e}": {"sku": 1}});
        let told = decode::<HashMap<String, Line>>(body.to_string().as_bytes()).unwrap_err();

        assert!(
            told.starts_with("a\\u{a}ERROR forged \\u{1b}[2J\\u{202e}.sku: invalid type"),
            "{told}"
        );
    }

    proptest! {
        #[test]
        fn numbers_arrive_as_they_were_sent(number in any::<f64>().prop_filter("finite", |number| number.is_finite())) {
            let encoded = encode(&number).unwrap();

            prop_assert_eq!(decode::<f64>(&encoded).map(f64::to_bits), Ok(number.to_bits()));
        }

        #[test]
        fn no_body_makes_decoding_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<Order>(&body);
            let _ = decode::<HashMap<String, Line>>(&body);
        }

        #[test]
        fn a_refused_text_never_shows_up_in_the_answer(secret in "[a-z]{12,20}") {
            let told = message(&format!(r#"{{"id": "{secret}"}}"#));
            prop_assert!(!told.contains(&secret), "{}", told);
        }
    }
}
