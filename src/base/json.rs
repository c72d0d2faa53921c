//! A task's arguments as JSON, and what is wrong with a body that is not.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The JSON of a task's arguments; that of a task without any is `{}`, also where serde says `null`.
pub(crate) fn encode<T: Serialize>(task: &T) -> Result<Bytes, serde_json::Error> {
    let json = serde_json::to_vec(task)?;
    Ok(if json == b"null" {
        Bytes::from_static(b"{}")
    } else {
        json.into()
    })
}

/// A task from the JSON of its arguments, or what is wrong with it and where; the text never holds a value of the body.
pub(crate) fn decode<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, String> {
    let error = match serde_json::from_slice(body) {
        Ok(task) => return Ok(task),
        Err(error) => error,
    };
    // A task without fields may be a unit struct, which serde reads from `null` alone.
    let trimmed = body.trim_ascii();
    if (trimmed.is_empty() || trimmed == b"{}")
        && let Ok(task) = serde_json::from_str("null")
    {
        return Ok(task);
    }
    if trimmed.is_empty() {
        return Err("the body is empty; expected the JSON of the task's arguments".into());
    }
    Err(mistake::<T>(body, &error))
}

/// Reads the body a second time, for the way to the mistake.
fn mistake<'de, T: Deserialize<'de>>(body: &'de [u8], error: &serde_json::Error) -> String {
    let mut json = serde_json::Deserializer::from_slice(body);
    let reason = reason(error);
    match serde_path_to_error::deserialize::<_, T>(&mut json) {
        // Where the JSON itself is broken, the position tells more than a path that breaks off.
        Err(error) if error.inner().is_data() && error.path().iter().len() > 0 => {
            format!("{}: {reason}", error.path())
        }
        _ => reason,
    }
}

/// The first words of what serde calls the kinds of a value; anything else may be a value itself.
const KINDS: &[&str] = &[
    "boolean",
    "integer",
    "floating",
    "character",
    "string",
    "byte",
    "unit",
    "null",
    "Option",
    "newtype",
    "sequence",
    "map",
    "enum",
    "tuple",
    "struct",
];

/// What serde says, without the value that it says it of: an answer must not repeat what may be a secret.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!("line {} column {}", error.line(), error.column());
    if !error.is_data() {
        return text;
    }
    let text = text.strip_suffix(&format!(" at {position}")).unwrap_or(&text);
    let known = [
        "invalid type",
        "invalid value",
        "invalid length",
        "unknown field",
        "unknown variant",
    ];
    let told = if ["missing field `", "duplicate field `"]
        .iter()
        .any(|start| text.starts_with(start))
    {
        text.to_owned()
    } else if let Some(mistake) = known.iter().find(|start| text.starts_with(*start)) {
        let kind = text[mistake.len()..]
            .strip_prefix(": ")
            .and_then(|found| found.split([' ', '"', '`', ',']).next())
            .filter(|kind| KINDS.contains(kind))
            .map_or_else(String::new, |kind| format!(": {kind}"));
        let expected = text
            .rsplit_once(", expected ")
            .map_or_else(String::new, |(_, expected)| format!(", expected {expected}"));
        format!("{mistake}{kind}{expected}")
    } else {
        "a value that is not accepted".to_owned()
    };
    format!("{told} at {position}")
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
        for body in ["{}", " {} ", "", "\n", "null"] {
            assert_eq!(decode::<Nothing>(body.as_bytes()), Ok(Nothing), "{body:?}");
        }
        assert!(decode::<Nothing>(br#"{"a": 1}"#).is_err());
    }

    proptest! {
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
