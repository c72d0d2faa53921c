//! A decoded record of a dead task.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::base::json;
use crate::base::wire::dead::DeadCause;
use crate::base::wire::dead_record::Record;

/// A dead task as it was recorded, with its arguments.
///
/// The `Debug` output omits the arguments and the values of the headers. The JSON form is the record itself; see the
/// [retries guide](crate::guide::retries).
#[derive(Clone, PartialEq, Eq)]
pub struct DeadTask {
    task: String,
    queue: Option<String>,
    id: Option<String>,
    attempts: u32,
    runs: Option<u32>,
    cause: Option<DeadCause>,
    error: String,
    body: Bytes,
    headers: BTreeMap<String, String>,
    pub(crate) died_at: String,
}

impl DeadTask {
    /// Decodes a record, or says what is wrong with it.
    pub(crate) fn decode(data: &[u8]) -> Result<Self, String> {
        let record: Record<'_> = json::decode(data)?;
        let body = match (record.body, record.data) {
            (Some(body), None) => Bytes::copy_from_slice(body.get().as_bytes()),
            (None, Some(data)) => STANDARD
                .decode(data)
                .map_err(|_| "data: it is not base64".to_owned())?
                .into(),
            (None, None) if record.left_out.is_some() => {
                let bytes = record.left_out.unwrap_or_default();
                return Err(format!(
                    "it has no body: the task's had {bytes} bytes, more than a message may have"
                ));
            }
            _ => return Err("expected either `body` or, in base64, `data`".to_owned()),
        };
        let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
        let headers = record.headers.into_iter();
        Ok(Self {
            task: record.task.into_owned(),
            queue: owned(record.queue),
            id: owned(record.id),
            attempts: record.attempts,
            runs: record.runs,
            cause: record.cause.as_deref().and_then(DeadCause::read),
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

    /// The short name of its queue.
    pub fn queue(&self) -> Option<&str> {
        self.queue.as_deref()
    }

    /// Its id in the queue.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The number of [deliveries](crate::dead_letters::Dead::attempts).
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The number of times that the task ran, if its idempotency store counted them.
    pub fn runs(&self) -> Option<u32> {
        self.runs
    }

    /// How the last attempt ended, if the record says so in words that this version knows.
    pub fn cause(&self) -> Option<DeadCause> {
        self.cause
    }

    /// The error of the last attempt.
    pub fn error(&self) -> &str {
        &self.error
    }

    /// The body: the JSON of the arguments, or whatever was received instead.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The headers of the task, without those of Cloud Tasks and of the request.
    pub fn headers(&self) -> &BTreeMap<String, String> {
        &self.headers
    }

    /// When the last attempt failed, if the record says so.
    pub fn died_at(&self) -> Option<SystemTime> {
        Some(self.died_at.parse::<Timestamp>().ok()?.into())
    }
}

impl Serialize for DeadTask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = Record {
            task: self.task.as_str().into(),
            queue: self.queue().map(Cow::from),
            id: self.id().map(Cow::from),
            attempts: self.attempts,
            runs: self.runs,
            cause: self.cause.map(|cause| cause.text().into()),
            error: self.error.as_str().into(),
            body: None,
            data: None,
            left_out: None,
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
            .field("runs", &self.runs)
            .field("cause", &self.cause)
            .field("error", &self.error)
            .field("body_bytes", &self.body.len())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("died_at", &self.died_at)
            .finish()
    }
}
