//! What an effect is known by.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use crate::base::time;

/// The most bytes that a key has.
const MAX_BYTES: usize = 255;
/// The bytes that are kept of a key that is longer, so that people can still tell what it is of.
const KEPT_BYTES: usize = 200;
/// What a part of a key shows as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// What an effect is known by in an [`IdempotencyStore`](crate::idempotency::IdempotencyStore): at most 255 printable ASCII characters.
///
/// The runtime makes those of tasks, messages and scheduled runs. One of your own is made from a text that names the
/// effect, not what triggers it; it never meets one of the runtime's.
///
/// ```
/// use cloud_tasks::idempotency::IdempotencyKey;
///
/// let key = IdempotencyKey::new("charge/7");
/// assert_eq!(key.as_str(), "effect/charge%2F7");
/// assert_eq!(key, "charge/7".into());
/// assert!(IdempotencyKey::new("7".repeat(1000)).as_str().len() <= 255);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    /// The key of an effect that this text names; of any length and any characters.
    pub fn new(effect: impl AsRef<str>) -> Self {
        Self::of("effect", &[effect.as_ref()])
    }

    /// A task in its queue.
    pub(crate) fn task(name: &str, queue: &str, id: &str) -> Self {
        Self::of("task", &[name, queue, id])
    }

    /// A message of a subscription.
    pub(crate) fn message(subscription: &str, id: &str) -> Self {
        Self::of("message", &[subscription, id])
    }

    /// A run of a schedule.
    pub(crate) fn scheduled(job: &str, time: SystemTime) -> Self {
        // A job's times are those of the wall clock; before 1970 there is none.
        let time = time::rfc3339(time);
        Self::of("schedule", &[job, &time])
    }

    /// Parts are encoded, so that what is between them cannot be in them: different parts make different keys.
    fn of(kind: &str, parts: &[&str]) -> Self {
        let mut key = kind.to_owned();
        for part in parts {
            key.push('/');
            key.extend(utf8_percent_encode(part, PLAIN));
        }
        if key.len() > MAX_BYTES {
            let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes());
            // ASCII alone, so it may be cut anywhere; no part has a `#` of its own.
            key.truncate(KEPT_BYTES);
            key.push('#');
            key.push_str(&hash.simple().to_string());
        }
        Self(key.into())
    }

    /// The key as stores keep it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: AsRef<str> + ?Sized> From<&T> for IdempotencyKey {
    fn from(effect: &T) -> Self {
        Self::new(effect)
    }
}

impl From<String> for IdempotencyKey {
    fn from(effect: String) -> Self {
        Self::new(effect)
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_say_what_they_are_of() {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(43_200);
        for (key, expected) in [
            (
                IdempotencyKey::task("Charge", "billing", "a-1_b"),
                "task/Charge/billing/a-1_b",
            ),
            (
                IdempotencyKey::message("projects/p/subscriptions/s", "7"),
                "message/projects%2Fp%2Fsubscriptions%2Fs/7",
            ),
            (
                IdempotencyKey::scheduled("shop--Digest", noon),
                "schedule/shop--Digest/1970-01-01T12%3A00%3A00Z",
            ),
            (IdempotencyKey::new("charge 7"), "effect/charge%207"),
        ] {
            assert_eq!(key.as_str(), expected);
        }
    }

    #[test]
    fn a_long_key_is_cut_and_told_apart_by_its_end() {
        let one = IdempotencyKey::new("a".repeat(300) + "1");
        let other = IdempotencyKey::new("a".repeat(300) + "2");

        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), KEPT_BYTES + 1 + 32);
    }

    proptest! {
        #[test]
        fn different_effects_have_different_keys_that_fit(one in ".{0,400}", other in ".{0,400}") {
            let (key, others) = (IdempotencyKey::new(&one), IdempotencyKey::new(&other));

            prop_assert_eq!(key == others, one == other);
            prop_assert!(key.as_str().len() <= MAX_BYTES);
            prop_assert!(key.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        }

        #[test]
        fn different_parts_have_different_keys(
            one in proptest::array::uniform3("[a/%#]{0,3}"),
            other in proptest::array::uniform3("[a/%#]{0,3}"),
        ) {
            let key = |parts: &[String; 3]| IdempotencyKey::task(&parts[0], &parts[1], &parts[2]);

            prop_assert_eq!(key(&one) == key(&other), one == other);
        }
    }
}
