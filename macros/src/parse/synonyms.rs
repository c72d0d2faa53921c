//! Words of other libraries for our options.

/// A word, and the options that may be meant by it. The first one that the attribute has is suggested.
const SYNONYMS: &[(&str, &[&str])] = &[
    ("retries", &["max_attempts", "max_retries"]),
    ("retry", &["max_attempts", "max_retries"]),
    ("max_retries", &["max_attempts"]),
    ("max_retry", &["max_attempts", "max_retries"]),
    ("attempts", &["max_attempts", "max_retries"]),
    ("max_attempts", &["max_retries"]),
    ("max_tries", &["max_attempts", "max_retries"]),
    ("cron", &["every"]),
    ("crontab", &["every"]),
    ("schedule", &["every"]),
    ("interval", &["every"]),
    ("tz", &["time_zone"]),
    ("timezone", &["time_zone"]),
    ("deadline", &["timeout"]),
    ("time_limit", &["timeout"]),
    ("ack_deadline", &["timeout"]),
    ("dispatch_deadline", &["timeout"]),
    ("queue_name", &["queue"]),
    ("task_name", &["name"]),
    ("alias", &["aliases"]),
    ("dlq", &["dead_letter_topic"]),
    ("dead_letter", &["dead_letter_topic"]),
    ("dead_letter_queue", &["dead_letter_topic"]),
    ("dead_letters", &["dead_letter_topic"]),
    ("dedup", &["unique"]),
    ("deduplicate", &["unique"]),
    ("unique_by", &["unique"]),
    ("once", &["only_once"]),
    ("singleton", &["only_once"]),
    ("exactly_once", &["idempotent"]),
    ("backoff", &["min_backoff", "schedule_min_backoff"]),
    ("ordered", &["ordering"]),
    ("ordering_key", &["ordering"]),
    ("event", &["topic"]),
    ("channel", &["topic"]),
    ("ttl", &["expiration"]),
];

/// A word, and the call that says the same: it is not a property of the type.
const CALLS: &[(&str, &str)] = &[
    ("delay", "task.later(Duration::from_secs(60))"),
    ("eta", "task.later(time)"),
    ("countdown", "task.later(Duration::from_secs(60))"),
    ("run_at", "task.later(time)"),
    ("task_id", "task.asap().task_id(\"..\")"),
];

/// The options that may be meant.
pub(super) fn of(word: &str) -> impl Iterator<Item = &'static str> {
    let meant = SYNONYMS
        .iter()
        .find(|(synonym, _)| synonym.eq_ignore_ascii_case(word));
    meant.into_iter().flat_map(|(_, options)| options.iter().copied())
}

/// The call that is meant, if it is one.
pub(super) fn call_for(word: &str) -> Option<&'static str> {
    let found = CALLS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, call)| *call)
}
