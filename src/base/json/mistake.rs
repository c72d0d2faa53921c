//! What is wrong with a body, told without any value of it.

use serde::Deserialize;

use crate::base::text;

/// Reads the body a second time, for the way to the mistake.
pub(super) fn mistake<'de, T: Deserialize<'de>>(body: &'de [u8], error: &serde_json::Error) -> String {
    let mut json = serde_json::Deserializer::from_slice(body);
    let reason = reason_of(error);
    match serde_path_to_error::deserialize::<_, T>(&mut json) {
        // Where the JSON itself is broken, the position tells more than a path that breaks off.
        Err(error) if error.inner().is_data() && error.path().iter().len() > 0 => {
            // Its keys are the caller's.
            format!("{}: {reason}", text::excerpt(&error.path().to_string()))
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

fn reason_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if !error.is_data() {
        return text;
    }
    let position = format!("line {} column {}", error.line(), error.column());
    let told = reason(text.strip_suffix(&format!(" at {position}")).unwrap_or(&text));
    format!("{told} at {position}")
}

/// What serde says, without the value that it says it of: an answer must not repeat what may be a secret.
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
    let Some(mistake) = known.iter().find(|start| text.starts_with(*start)) else {
        return "a value that is not accepted".to_owned();
    };
    let kind = text[mistake.len()..]
        .strip_prefix(": ")
        .and_then(|found| found.split([' ', '"', '`', ',']).next())
        .filter(|kind| KINDS.contains(kind))
        .map_or_else(String::new, |kind| format!(": {kind}"));
    // What is expected is the type's own text and comes last; a variant or a field without a list has none, and what looks
    // like one is the value.
    let is_listed = !text.ends_with(", there are no variants") && !text.ends_with(", there are no fields");
    let expected = text
        .rsplit_once(", expected ")
        .filter(|_| is_listed)
        .map_or_else(String::new, |(_, expected)| format!(", expected {expected}"));
    format!("{mistake}{kind}{expected}")
}

/// Whether a text of serde's names a field of the type and nothing else.
fn is_about_a_field(text: &str) -> bool {
    ["missing field `", "duplicate field `"]
        .iter()
        .filter_map(|start| text.strip_prefix(start)?.strip_suffix('`'))
        .any(|name| !name.contains(['`', ' ']))
}
