//! The limits of Cloud Tasks, checked before any call is made.
//!
//! Sources: `google/cloud/tasks/v2/task.proto` and `target.proto`, <https://cloud.google.com/tasks/docs/quotas>. The
//! limit of the stored size was measured.

use std::time::{Duration, SystemTime};

use cloud_tasks_rules::limits::DISPATCH_DEADLINE;

use crate::base::config::{Config, ServiceEndpoint};
use crate::base::error::Error;
use crate::base::invalid::Invalid;
use crate::base::names;
use crate::base::time::words;
use crate::base::wire::envelope::Envelope;

const MAX_AHEAD: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Longer than any real timeout, and short enough to be added to a time without overflow.
#[cfg(any(feature = "google", feature = "serve"))]
pub(crate) const INDEFINITELY: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
/// Cloud Tasks stores no larger task, headers included.
pub(crate) const MAX_STORED_BYTES: usize = 1_048_569;
const MAX_URL_BYTES: usize = 2083;
/// The maximum number and size of a task's headers: what a server accepts, ours for one, minus room for those that Cloud Tasks and
/// proxies add.
const MAX_TASK_HEADERS: usize = 80;
const MAX_TASK_HEADER_BYTES: usize = 32 * 1024;
const MAX_HEADERS_BYTES: usize = 80 * 1024;

/// Validates a timeout.
pub(crate) fn validate_timeout(timeout: Duration) -> Result<(), Invalid> {
    Invalid::unless(DISPATCH_DEADLINE.contain(timeout), || {
        Invalid::new(format_args!("the timeout {timeout:?}"), DISPATCH_DEADLINE.words)
    })
}

/// How far ahead a task may be scheduled.
pub(crate) fn max_ahead(config: &Config) -> Duration {
    config.maximum_eta().map_or(MAX_AHEAD, |max| max.min(MAX_AHEAD))
}

/// Checks every limit of Cloud Tasks, and the maximum of the settings.
pub(crate) fn check(envelope: &Envelope, config: &Config, now: SystemTime) -> Result<(), Error> {
    validate(envelope, config, now)
        .map_err(|error| Error::invalid(format!("task {} was not enqueued: {error}", envelope.task)))
}

fn validate(envelope: &Envelope, config: &Config, now: SystemTime) -> Result<(), Invalid> {
    names::validate_queue(&envelope.queue)?;
    envelope.id.as_deref().map_or(Ok(()), names::validate_task_id)?;
    envelope.timeout.map_or(Ok(()), validate_timeout)?;
    validate_schedule_time(envelope, config, now)?;
    validate_size(envelope, config)
}

fn validate_schedule_time(envelope: &Envelope, config: &Config, now: SystemTime) -> Result<(), Invalid> {
    let ahead = envelope
        .schedule_time
        .and_then(|time| time.duration_since(now).ok());
    let ahead = ahead.unwrap_or_default();
    let max = max_ahead(config);
    Invalid::unless(ahead <= max, || {
        let whose = if config.maximum_eta().is_some_and(|own| own < MAX_AHEAD) {
            "the setting MAXIMUM_ETA_TASK allows"
        } else {
            "Cloud Tasks accepts at most"
        };
        let (ahead, max) = (in_days(ahead), in_days(max));
        Invalid::because(format!(
            "it is scheduled {ahead} ahead; {whose} {max}: keep the time in your database, and let a periodic task (`every = \"..\"`) \
             enqueue what is due"
        ))
    })
}

/// A time as people say it: in days from two days on, rounded up.
fn in_days(time: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let seconds = time.as_secs();
    if seconds >= 2 * DAY {
        return format!("{} days", seconds.div_ceil(DAY));
    }
    words(Duration::from_secs(seconds))
}

fn validate_size(envelope: &Envelope, config: &Config) -> Result<(), Invalid> {
    if envelope.url.len() > MAX_URL_BYTES {
        return Err(Invalid::because(format!(
            "its URL has {} bytes; Cloud Tasks accepts at most {MAX_URL_BYTES}",
            envelope.url.len()
        )));
    }
    let headers: usize = envelope
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if headers >= MAX_HEADERS_BYTES {
        return Err(Invalid::because(format!(
            "its headers have {headers} bytes; Cloud Tasks accepts less than {MAX_HEADERS_BYTES}"
        )));
    }
    let count = envelope.headers.len();
    if count > MAX_TASK_HEADERS || headers > MAX_TASK_HEADER_BYTES {
        return Err(Invalid::because(format!(
            "it has {count} headers of {headers} bytes; servers take at most {MAX_TASK_HEADERS} of \
             {MAX_TASK_HEADER_BYTES} bytes beside those that Cloud Tasks adds, and answer 431 to more"
        )));
    }
    let stored = stored_size(envelope, config);
    Invalid::unless(stored <= MAX_STORED_BYTES, || {
        Invalid::because(format!(
            "its stored size would be {stored} bytes, {} of them its arguments; Cloud Tasks accepts at most {MAX_STORED_BYTES} \
             for name, times, headers, URL and body together. Store large data elsewhere and send a reference",
            envelope.body.len()
        ))
    })
}

/// The size of `google.cloud.tasks.v2.Task` as the service stores it. For a part that is not known yet (the project of
/// a runtime without Google, a generated id) its longest usual length is assumed.
fn stored_size(envelope: &Envelope, config: &Config) -> usize {
    let known = |value: Option<&str>, usual| value.map_or(usual, str::len);
    let name = "projects//locations//queues//tasks/".len()
        + known(config.project(), 30)
        + known(config.location(), 23)
        + envelope.queue.len()
        + envelope.id.as_ref().map_or(32, String::len);
    let headers: usize = envelope
        .headers
        .iter()
        .map(|(name, value)| field(field(name.as_str().len()) + field(value.len())))
        .sum();
    // The audience is the endpoint, which is never longer than the URL.
    let account = envelope.service().and_then(ServiceEndpoint::account);
    let token = field(known(account.or(config.service_account()), 64)) + field(envelope.url.len());
    let request = field(envelope.url.len()) + 2 + headers + field(envelope.body.len()) + field(token);
    let timestamp = field(12);
    // The service adds a `User-Agent: Google-Cloud-Tasks` header, and stores the view.
    let own_header = field(field(10) + field(18));
    let view = 2;
    field(name) + field(request + own_header) + 3 * timestamp + view
}

/// The size of a length-delimited protobuf field with `length` bytes, including its tag and length.
pub(super) fn field(length: usize) -> usize {
    let bits = usize::BITS - (length | 1).leading_zeros();
    1 + bits.div_ceil(7) as usize + length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_counts_its_tag_and_its_length_as_protobuf_does() {
        for (length, size) in [
            (0, 2),
            (1, 3),
            (127, 129),
            (128, 131),
            (16_383, 16_386),
            (16_384, 16_388),
        ] {
            assert_eq!(field(length), size);
        }
    }
}
