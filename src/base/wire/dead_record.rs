//! The record of a dead task, a JSON message.

#[cfg(all(test, feature = "google"))]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::base::time;
use crate::base::wire::dead::Dead;
use crate::base::wire::headers::sent_header;
use crate::base::wire::publication::{MAX_REQUEST_BYTES, MAX_VALUE_BYTES};

/// What a record leaves for the rest of its message: topic, attributes, and what encodes them.
const REST_BYTES: usize = 8 * 1024;

/// The record. A JSON body is embedded as it is, any other body as base64 in `data`. A body for which a message has no room
/// is left out, and `left_out` says how long it was.
#[derive(Deserialize, Serialize)]
pub(super) struct Record<'a> {
    pub task: Cow<'a, str>,
    pub queue: Option<Cow<'a, str>>,
    pub id: Option<Cow<'a, str>>,
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<u32>,
    /// As text: a later version may write others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cow<'a, str>>,
    pub error: Cow<'a, str>,
    // `null` is a body as well.
    #[serde(
        borrow,
        default,
        deserialize_with = "there",
        skip_serializing_if = "Option::is_none"
    )]
    pub body: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<usize>,
    pub headers: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    pub died_at: Cow<'a, str>,
}

fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Record<'a> {
    /// Adds the body, as JSON or as base64.
    pub fn with_body(mut self, body: &'a [u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(json) => self.body = Some(json),
            Err(_) => self.data = Some(STANDARD.encode(body)),
        }
        self
    }
}

/// Encodes the record of a dead task, which fits into a message whatever the task has.
pub(crate) fn encode(task: &str, dead: &Dead, body: &[u8], headers: &HeaderMap, now: SystemTime) -> Vec<u8> {
    let record = || Record {
        task: task.into(),
        queue: dead.queue().map(Cow::from),
        id: dead.id().map(Cow::from),
        attempts: dead.attempts(),
        runs: dead.runs(),
        cause: Some(dead.cause().text().into()),
        error: dead.error().into(),
        body: None,
        data: None,
        left_out: None,
        headers: recorded(headers)
            .map(|(name, value)| (name.as_str().into(), value.into()))
            .collect(),
        died_at: time::rfc3339_millis(now).into(),
    };
    // Strings, numbers and parsed JSON always serialize.
    let encoded = serde_json::to_vec(&record().with_body(body)).unwrap_or_default();
    if encoded.len() <= MAX_REQUEST_BYTES - REST_BYTES {
        return encoded;
    }
    tracing::error!(
        task,
        body_bytes = body.len(),
        "the body of a dead task is longer than a message may be; it is recorded without its arguments"
    );
    let without_body = Record {
        left_out: Some(body.len()),
        ..record()
    };
    serde_json::to_vec(&without_body).unwrap_or_default()
}

/// The beginning of a value that fits into an attribute of the message.
pub(crate) fn attribute(value: &str) -> &str {
    &value[..value.floor_char_boundary(MAX_VALUE_BYTES)]
}

/// Headers of one request or one caller, in addition to those that a task cannot have.
const OF_THE_REQUEST: &[&str] = &[
    "accept",
    "cookie",
    "expect",
    "forwarded",
    "trailer",
    "x-cloud-trace-context",
    "x-serverless-authorization",
];

/// The headers of the task itself, which a replay sends again.
fn recorded(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &str)> {
    headers.iter().filter_map(|(name, value)| {
        let (name_text, value) = (name.as_str(), value.to_str().ok()?);
        let foreign = OF_THE_REQUEST.contains(&name_text) || name_text.starts_with("x-forwarded-");
        let is_recorded = !foreign && sent_header(name_text, value).is_some();
        is_recorded.then_some((name, value))
    })
}
