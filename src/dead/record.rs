//! A dead task as it is written down: a message of JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::dead::death::Dead;
use crate::enqueue::own_header;
use crate::json;

/// The record. The body stands in it as it is where it is JSON, and else as base64 in `data`.
#[derive(Deserialize, Serialize)]
struct Record<'a> {
    task: Cow<'a, str>,
    queue: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    attempts: u32,
    error: Cow<'a, str>,
    // A body of `null` is one, too.
    #[serde(
        borrow,
        default,
        deserialize_with = "there",
        skip_serializing_if = "Option::is_none"
    )]
    body: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    headers: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    died_at: Cow<'a, str>,
}

fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Record<'a> {
    fn with_body(mut self, body: &'a [u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(json) => self.body = Some(json),
            Err(_) => self.data = Some(STANDARD.encode(body)),
        }
        self
    }
}

/// Writes down a dead task.
pub(crate) fn encode(task: &str, dead: &Dead, body: &[u8], headers: &HeaderMap, now: SystemTime) -> Vec<u8> {
    let record = Record {
        task: task.into(),
        queue: dead.queue().map(Cow::from),
        id: dead.id().map(Cow::from),
        attempts: dead.attempts(),
        error: dead.error().into(),
        body: None,
        data: None,
        headers: kept(headers)
            .map(|(name, value)| (name.as_str().into(), value.into()))
            .collect(),
        died_at: humantime::format_rfc3339_millis(now.max(SystemTime::UNIX_EPOCH))
            .to_string()
            .into(),
    };
    // Texts, numbers and JSON that was read always serialize.
    serde_json::to_vec(&record.with_body(body)).unwrap_or_default()
}

/// Headers that belong to one request or one caller, beside those that no task can have.
const OF_THE_REQUEST: &[&str] = &[
    "accept",
    "cookie",
    "expect",
    "forwarded",
    "trailer",
    "x-cloud-trace-context",
    "x-serverless-authorization",
];

/// The headers that are the task's, and can be sent with it again.
fn kept(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &str)> {
    headers.iter().filter_map(|(name, value)| {
        let (name_text, value) = (name.as_str(), value.to_str().ok()?);
        let foreign = OF_THE_REQUEST.contains(&name_text) || name_text.starts_with("x-forwarded-");
        let kept = !foreign && own_header(name_text, value).is_ok();
        kept.then_some((name, value))
    })
}

/// A dead task as it was recorded, with its arguments.
///
/// Its `Debug` form leaves out the arguments and the values of the headers; as JSON it is the record itself. How it comes
/// about is told in the [guide](crate::guide::retries).
#[derive(Clone, PartialEq, Eq)]
pub struct DeadTask {
    pub(crate) task: String,
    pub(crate) queue: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) attempts: u32,
    pub(crate) error: String,
    pub(crate) body: Bytes,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) died_at: String,
}

impl DeadTask {
    /// Reads a record, or says what is wrong with it.
    pub(crate) fn decode(data: &[u8]) -> Result<Self, String> {
        let record: Record<'_> = json::decode(data)?;
        let body = match (record.body, record.data) {
            (Some(body), None) => Bytes::copy_from_slice(body.get().as_bytes()),
            (None, Some(data)) => STANDARD
                .decode(data)
                .map_err(|_| "data: it is not base64".to_owned())?
                .into(),
            _ => return Err("it has either a `body` or, in base64, `data`".to_owned()),
        };
        let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
        let headers = record.headers.into_iter();
        Ok(Self {
            task: record.task.into_owned(),
            queue: owned(record.queue),
            id: owned(record.id),
            attempts: record.attempts,
            error: record.error.into_owned(),
            body,
            headers: headers
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
            died_at: record.died_at.into_owned(),
        })
    }

    /// The name of the task.
    pub fn task(&self) -> &str {
        &self.task
    }

    /// The short name of the queue that it came from.
    pub fn queue(&self) -> Option<&str> {
        self.queue.as_deref()
    }

    /// The id that it had in its queue.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// How often it was tried.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What went wrong in its last attempt.
    pub fn error(&self) -> &str {
        &self.error
    }

    /// The JSON of its arguments, or what came in the place of it.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The headers that it came with, without those of Cloud Tasks and of the request.
    pub fn headers(&self) -> &BTreeMap<String, String> {
        &self.headers
    }

    /// When it was given up; `None` where the record says no time.
    pub fn died_at(&self) -> Option<SystemTime> {
        humantime::parse_rfc3339_weak(&self.died_at).ok()
    }
}

impl Serialize for DeadTask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = Record {
            task: self.task.as_str().into(),
            queue: self.queue().map(Cow::from),
            id: self.id().map(Cow::from),
            attempts: self.attempts,
            error: self.error.as_str().into(),
            body: None,
            data: None,
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
                .collect(),
            died_at: self.died_at.as_str().into(),
        };
        record.with_body(&self.body).serialize(serializer)
    }
}

impl fmt::Debug for DeadTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadTask")
            .field("task", &self.task)
            .field("queue", &self.queue)
            .field("id", &self.id)
            .field("attempts", &self.attempts)
            .field("error", &self.error)
            .field("body_bytes", &self.body.len())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("died_at", &self.died_at)
            .finish()
    }
}

#[cfg(test)]
mod tests;
