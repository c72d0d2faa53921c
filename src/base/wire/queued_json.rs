//! The JSON form of a queued task.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::base::wire::queued_task::{LastAttempt, QueuedTask};

#[derive(Serialize)]
struct QueuedJson<'a> {
    id: &'a str,
    queue: &'a str,
    task: Option<&'a str>,
    url: &'a str,
    attempts: u32,
    responses: u32,
    schedule_time: Option<String>,
    create_time: Option<String>,
    timeout_seconds: Option<f64>,
    last_attempt: Option<&'a LastAttempt>,
    headers: BTreeMap<&'a str, Cow<'a, str>>,
    body: Option<Body<'a>>,
}

/// A body in its most readable form.
#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    /// The exact text, so that the digits of a large number survive.
    Json(&'a RawValue),
    Text(&'a str),
    Base64(String),
}

impl<'a> Body<'a> {
    fn new(body: &'a [u8]) -> Self {
        match (serde_json::from_slice(body), std::str::from_utf8(body)) {
            (Ok(json), _) => Self::Json(json),
            (_, Ok(text)) => Self::Text(text),
            _ => Self::Base64(STANDARD.encode(body)),
        }
    }
}

impl Serialize for QueuedTask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let headers = self.headers().iter();
        let json = QueuedJson {
            id: self.id(),
            queue: self.queue(),
            task: self.task(),
            url: self.url(),
            attempts: self.attempts(),
            responses: self.responses(),
            schedule_time: self.schedule_time().and_then(rfc3339),
            create_time: self.create_time().and_then(rfc3339),
            timeout_seconds: self.timeout().map(|timeout| timeout.as_secs_f64()),
            last_attempt: self.last_attempt(),
            headers: headers
                .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
                .collect(),
            body: self.body().map(Body::new),
        };
        json.serialize(serializer)
    }
}

impl Serialize for LastAttempt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let members = [
            ("dispatch_time", self.dispatch_time.and_then(rfc3339)),
            ("response_time", self.response_time.and_then(rfc3339)),
            ("status", self.status.clone()),
        ];
        serializer.collect_map(members)
    }
}

/// Formats a time; `None` if no calendar has it.
pub(crate) fn rfc3339(time: SystemTime) -> Option<String> {
    jiff::Timestamp::try_from(time).ok().map(|time| time.to_string())
}
