//! The list of records in a failed assertion.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use super::state::{Record, What};
use crate::base::time::words;

/// The maximum length of a body in the list.
const MAX_BODY_BYTES: usize = 200;

/// Records under a heading, one per line.
pub(super) fn list<'a>(
    heading: &str,
    records: impl IntoIterator<Item = &'a Record>,
    now: SystemTime,
) -> String {
    let mut text = String::new();
    for record in records {
        let _ = write!(text, "\n  {}", line(record, now));
    }
    if text.is_empty() {
        return text;
    }
    format!("{heading}:{text}")
}

/// A task or a message on one line.
fn line(record: &Record, now: SystemTime) -> String {
    match &record.what {
        What::Task(envelope) => {
            let id = envelope.id().map_or_else(String::new, |id| format!(" as {id}"));
            let due = record
                .not_before()
                .map_or_else(String::new, |time| due(time, now));
            let attempt = match record.retries {
                0 => String::new(),
                retries => format!(", attempt {}", retries + 1),
            };
            let body = cut(envelope.body());
            format!(
                "{} {body} to {}{id}{due}{attempt}",
                envelope.task(),
                envelope.queue()
            )
        }
        What::Message(publication) => {
            let key = publication.ordering_key();
            let key = key.map_or_else(String::new, |key| format!(" in the order of {key}"));
            let attributes = match publication.attributes() {
                none if none.is_empty() => String::new(),
                some => format!(" with {some:?}"),
            };
            let data = cut(publication.data());
            format!("{data} to {}{attributes}{key}", publication.topic())
        }
    }
}

fn due(time: SystemTime, now: SystemTime) -> String {
    match time.duration_since(now) {
        Ok(Duration::ZERO) => ", due now".to_owned(),
        Ok(ahead) => {
            let seconds = ahead
                .as_secs()
                .saturating_add(u64::from(ahead.subsec_nanos() > 0));
            format!(", in {}", words(Duration::from_secs(seconds)))
        }
        Err(late) => {
            let late = Duration::from_secs(late.duration().as_secs());
            format!(", due {} ago", words(late))
        }
    }
}

/// The beginning of a body, with its length if it is longer.
fn cut(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    if text.len() <= MAX_BODY_BYTES {
        return text.into_owned();
    }
    let start = &text[..text.floor_char_boundary(MAX_BODY_BYTES)];
    format!("{start}.. ({} bytes)", body.len())
}
