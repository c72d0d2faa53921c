//! Decoding errors without any value of the body.

use serde::Deserialize;

use crate::base::text;

/// Decodes the body a second time to find the path of the error.
pub(super) fn describe<'de, T: Deserialize<'de>>(body: &'de [u8], error: &serde_json::Error) -> String {
    let mut json = serde_json::Deserializer::from_slice(body);
    let reason = reason_of(error);
    match serde_path_to_error::deserialize::<_, T>(&mut json) {
        // If the JSON itself is invalid, the position is more useful than a path that breaks off.
        Err(error) if error.inner().is_data() && error.path().iter().len() > 0 => {
            // The keys in a path are chosen by the caller.
            format!("{}: {reason}", text::excerpt(&error.path().to_string()))
        }
        _ => reason,
    }
}

/// The words that serde's descriptions of a value start with. Any other text may be the value itself.
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

fn reason_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if !error.is_data() {
        return text;
    }
    let position = format!("line {} column {}", error.line(), error.column());
    let message = reason(text.strip_suffix(&format!(" at {position}")).unwrap_or(&text));
    format!("{message} at {position}")
}

/// Serde's message without the value: a response must not repeat a possible secret.
pub(crate) fn reason(text: &str) -> String {
    let known = [
        "invalid type",
        "invalid value",
        "invalid length",
        "unknown field",
        "unknown variant",
    ];
    if is_about_a_field(text) {
        return text.to_owned();
    }
    let Some(kind_of_error) = known.iter().find(|start| text.starts_with(*start)) else {
        return "a value that is not accepted".to_owned();
    };
    let kind = text[kind_of_error.len()..]
        .strip_prefix(": ")
        .and_then(|found| found.split([' ', '"', '`', ',']).next())
        .filter(|kind| KINDS.contains(kind))
        .map_or_else(String::new, |kind| format!(": {kind}"));
    // The expected names are the type's own and come last. If there is no list, what looks like one is part of the
    // value.
    let is_listed = !text.ends_with(", there are no variants") && !text.ends_with(", there are no fields");
    let expected = text
        .rsplit_once(", expected ")
        .filter(|_| is_listed)
        .map_or_else(String::new, |(_, expected)| format!(", expected {expected}"));
    format!("{kind_of_error}{kind}{expected}")
}

/// Whether a message of serde names a field of the type and nothing else.
fn is_about_a_field(text: &str) -> bool {
    ["missing field `", "duplicate field `"]
        .iter()
        .filter_map(|start| text.strip_prefix(start)?.strip_suffix('`'))
        .any(|name| !name.contains(['`', ' ']))
}
