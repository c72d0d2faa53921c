//! The keys of effects.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use crate::base::{Config, ForwardedMessage, MessageIdentity, TaskMetadata, time};
use crate::registry::{RegisteredHandler, TaskInput};

/// The maximum length of a key in bytes.
const MAX_BYTES: usize = 255;
/// The number of bytes kept of a longer key, so that it stays recognizable.
const KEPT_BYTES: usize = 200;
/// The characters that are not encoded.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The key of an effect in an [`IdempotencyStore`](crate::idempotency::IdempotencyStore): at most 255 printable ASCII
/// characters.
///
/// The runtime creates the keys of tasks, messages and scheduled runs. Create your own from a text that names the
/// effect, not its trigger. It never equals a key of the runtime.
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
    /// Creates the key of an effect from a text of any length, with any characters.
    pub fn new(effect: impl AsRef<str>) -> Self {
        Self::of("effect", &[effect.as_ref()])
    }

    /// The key of a delivery, which is the same for each of its repeats.
    ///
    /// The task's name comes from this service alone: a request's body must not be able to name the effect of another task.
    pub(crate) fn of_delivery(
        config: &Config,
        entry: &RegisteredHandler,
        input: &TaskInput,
        metadata: &TaskMetadata,
    ) -> Option<Self> {
        let name = entry.registration.name;
        let message = |message| Self::message(config, name, message);
        match input {
            TaskInput::Push(push) => return push.identity().map(message),
            TaskInput::Body(_) if entry.registration.subscriber_options().is_some() => {
                let forwarded = ForwardedMessage::read(metadata.headers());
                if let Some(key) = forwarded.identity().map(message) {
                    return Some(key);
                }
            }
            TaskInput::Body(_) => {}
        }
        let scheduled = metadata.is_scheduled();
        if let (true, Some(job), Some(time)) = (scheduled, metadata.job_name(), metadata.schedule_time()) {
            return Some(Self::scheduled(config, name, job, time));
        }
        Some(Self::task(
            config,
            name,
            metadata.queue()?,
            metadata.id()?,
            metadata.creation(),
        ))
    }

    /// The key of a task in its queue. An id that the caller chose may be used again once it is free: `creation`
    /// tells such tasks apart.
    fn task(config: &Config, name: &str, queue: &str, id: &str, creation: Option<&str>) -> Self {
        let parts = [name, queue, id].into_iter().chain(creation);
        Self::of_service("task", config, &parts.collect::<Vec<_>>())
    }

    /// The key of a message. The subscriber is the registered one, not the one that the request names.
    fn message(config: &Config, subscriber: &str, message: MessageIdentity<'_>) -> Self {
        let parts: Vec<_> = std::iter::once(subscriber).chain(message.parts()).collect();
        Self::of_service("message", config, &parts)
    }

    /// The key of a run of a schedule.
    fn scheduled(config: &Config, name: &str, job: &str, time: SystemTime) -> Self {
        // No job was due before 1970.
        let time = time::rfc3339(time);
        Self::of_service("schedule", config, &[name, job, &time])
    }

    /// Adds the service to the parts: services may share a store and use the same names.
    fn of_service(kind: &str, config: &Config, parts: &[&str]) -> Self {
        Self::of(kind, &[&config.service_identity()[..], parts].concat())
    }

    /// The parts are encoded, so they cannot contain the separator: different parts make different keys.
    fn of(kind: &str, parts: &[&str]) -> Self {
        let mut key = kind.to_owned();
        for part in parts {
            key.push('/');
            key.extend(utf8_percent_encode(part, PLAIN));
        }
        if key.len() > MAX_BYTES {
            let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes());
            // ASCII only, so it can be cut anywhere; no part contains a `#`.
            key.truncate(KEPT_BYTES);
            key.push('#');
            key.push_str(&hash.simple().to_string());
        }
        Self(key.into())
    }

    /// The key as text, as stores keep it.
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
        let unnamed = Config::default().with_endpoint("https://shop.example/");
        let shop = unnamed
            .clone()
            .with_project("acme")
            .with_location("europe-west1")
            .with_app_name("shop");
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(43_200);
        for (key, expected) in [
            (
                IdempotencyKey::task(&shop, "Charge", "billing", "a-1_b", None),
                "task/acme/europe-west1/shop/Charge/billing/a-1_b",
            ),
            (
                IdempotencyKey::task(&shop, "Charge", "billing", "a-1_b", Some("0f")),
                "task/acme/europe-west1/shop/Charge/billing/a-1_b/0f",
            ),
            (
                IdempotencyKey::message(
                    &unnamed,
                    "Listener",
                    MessageIdentity {
                        source: None,
                        id: "7",
                    },
                ),
                "message///https%3A%2F%2Fshop.example/Listener/7",
            ),
            (
                IdempotencyKey::message(
                    &unnamed,
                    "Listener",
                    MessageIdentity {
                        source: Some("//a/b"),
                        id: "7",
                    },
                ),
                "message///https%3A%2F%2Fshop.example/Listener/%2F%2Fa%2Fb/7",
            ),
            (
                IdempotencyKey::scheduled(&shop, "Digest", "shop--Digest", noon),
                "schedule/acme/europe-west1/shop/Digest/shop--Digest/1970-01-01T12%3A00%3A00Z",
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
            let key = |parts: &[String; 3]| IdempotencyKey::task(&Config::default(), &parts[0], &parts[1], &parts[2], None);

            prop_assert_eq!(key(&one) == key(&other), one == other);
        }
    }
}
