//! The names that Google's services accept, and how that is said.

/// What [`is_task`] accepts.
pub const TASK: &str = "1 to 255 letters, digits, `_`, `-` and `.`, and not `.` or `..`";

/// Whether this can be the name of a task, which becomes one segment of a path.
#[must_use]
pub fn is_task(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=255).contains(&name.len()) && name.bytes().all(allowed) && name != "." && name != ".."
}

/// What [`is_queue`] accepts.
pub const QUEUE: &str = "1 to 100 letters, digits and `-`";

/// Whether this can be the id of a queue. Source: `google.cloud.tasks.v2.Queue.name`.
#[must_use]
pub fn is_queue(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=100).contains(&name.len()) && name.bytes().all(allowed)
}

/// What [`is_id`] accepts.
pub const ID: &str = "1 to 500 letters, digits, `_` and `-`";

/// Whether this can be the id of a task or of a job. Sources: `google.cloud.tasks.v2.Task.name` and
/// `google.cloud.scheduler.v1.Job.name`.
#[must_use]
pub fn is_id(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=500).contains(&name.len()) && name.bytes().all(allowed)
}

/// The longest name of a topic or a subscription.
pub const MAX_PUBSUB_BYTES: usize = 255;

/// What [`is_pubsub`] accepts.
pub const PUBSUB: &str =
    "3 to 255 letters, digits and `-_.~+%`, the first a letter, and not beginning with `goog`";

/// Whether this can be the name of a topic or a subscription. Source: `google.pubsub.v1.Topic.name` and `Subscription.name`.
#[must_use]
pub fn is_pubsub(name: &str) -> bool {
    (3..=MAX_PUBSUB_BYTES).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(is_pubsub_byte)
        && !name.starts_with("goog")
}

/// Whether this may stand in the name of a topic or a subscription.
#[must_use]
pub fn is_pubsub_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~+%".contains(&byte)
}
