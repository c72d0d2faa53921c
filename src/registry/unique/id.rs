//! The id of a unique task.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::base::json;

use super::canonical::canonical;
use super::{Of, UniqueFields, UniqueOptions};

/// Which tasks count as the same.
#[derive(Clone, Debug)]
pub(crate) struct Uniqueness {
    key: Key,
    window: Option<Duration>,
    /// Whether the call set the window, and not the type.
    called: bool,
}

/// What distinguishes tasks of one name.
#[derive(Clone, Debug)]
enum Key {
    /// The body.
    Arguments,
    /// Fields of the type, as a JSON object.
    Fields(Vec<u8>),
    /// The key of a call, as JSON.
    Given(Vec<u8>),
    /// Nothing besides the name.
    Name,
}

impl Uniqueness {
    /// The options of a type; if it is unique by fields, [`by_fields`](Self::by_fields) must follow.
    pub fn of_type(options: &UniqueOptions) -> Self {
        let key = match options.of {
            Of::Arguments | Of::Fields => Key::Arguments,
            Of::Name => Key::Name,
        };
        Self {
            key,
            window: options.window,
            called: false,
        }
    }

    /// Adds the fields of the task, if the type is unique by fields.
    pub fn by_fields(
        &mut self,
        options: &UniqueOptions,
        add: impl FnOnce(&mut UniqueFields),
    ) -> Result<(), serde_json::Error> {
        if options.of == Of::Fields {
            let mut fields = UniqueFields::default();
            add(&mut fields);
            self.key = Key::Fields(fields.into_json()?);
        }
        Ok(())
    }

    /// Sets the key of a call, which replaces the options of the type.
    pub fn set_key(&mut self, key: &impl Serialize) -> Result<(), serde_json::Error> {
        self.key = Key::Given(json::encode_key(key)?);
        self.window = self.window.filter(|_| self.called);
        Ok(())
    }

    /// Sets the window of a call.
    pub fn set_window(&mut self, window: Duration) {
        self.window = Some(window);
        self.called = true;
    }

    /// The id of a task with this body that is enqueued now, or why it has none.
    ///
    /// It is the hash of a JSON array: name, kind of key, key, window. Waiting tasks are found by it, so it never
    /// changes.
    pub fn id(&self, task: &str, body: &[u8], now: SystemTime) -> Result<String, String> {
        let (kind, key) = match (&self.key, self.window) {
            (Key::Name, None) => return Ok(task.to_owned()),
            (Key::Name, Some(_)) => ("name", b"null".as_slice()),
            (Key::Arguments, _) => ("arguments", body),
            (Key::Fields(fields), _) => ("fields", fields.as_slice()),
            (Key::Given(key), _) => ("key", key.as_slice()),
        };
        let key = canonical(key).map_err(|refused| {
            let what = if kind == "arguments" {
                "arguments"
            } else {
                "unique values"
            };
            format!("its {what} {}", refused.reason())
        })?;
        let name =
            serde_json::to_vec(task).map_err(|error| format!("its name does not serialize: {error}"))?;
        let window = self
            .window
            .map_or_else(|| "null".to_owned(), |window| bucket(window, now));
        let hash = Sha256::new()
            .chain_update(b"[")
            .chain_update(name)
            .chain_update(format!(",\"{kind}\","))
            .chain_update(key)
            .chain_update(format!(",{window}]"))
            .finalize();
        Ok(URL_SAFE_NO_PAD.encode(hash))
    }
}

/// The window that contains a time: its length in nanoseconds, and how many have passed since 1970.
fn bucket(window: Duration, now: SystemTime) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let window = window.as_nanos().max(1);
    format!("[{window},{}]", since.as_nanos() / window)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(300);
    const BY_ARGUMENTS: UniqueOptions = UniqueOptions::new();

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn id_at(options: &UniqueOptions, now: SystemTime) -> String {
        Uniqueness::of_type(options).id("Charge", b"{}", now).unwrap()
    }

    #[test]
    fn an_id_is_the_hash_of_a_text_that_anybody_can_write() {
        let body = r#"{"order_id":7,"customer":{"id":3},"note":"ü"}"#.as_bytes();
        let by_arguments = Uniqueness::of_type(&BY_ARGUMENTS);
        let options = BY_ARGUMENTS.by_fields().window(WINDOW);
        let mut by_fields = Uniqueness::of_type(&options);
        let add = |fields: &mut UniqueFields| {
            fields.add("order_id", &7);
            fields.add("customer.id", &3);
        };
        by_fields.by_fields(&options, add).unwrap();
        let mut by_key = by_fields.clone();
        by_key.set_key(&("invoice", 7)).unwrap();

        let ids = [by_arguments, by_fields, by_key]
            .map(|unique| unique.id("Charge", body, at(1_700_000_000)).unwrap());

        // sha256 of `["Charge","arguments",{"customer":{"id":3},"note":"ü","order_id":7},null]`,
        // `["Charge","fields",{"customer.id":3,"order_id":7},[300000000000,5666666]]`,
        // `["Charge","key",["invoice",7],null]`, as base64 with `-` and `_`, without padding.
        assert_eq!(
            ids,
            [
                "d6tCofKJFcLnB9ryCPxAKto_fscAJRU18VhrdFP37yQ",
                "Vefw8up9ifrLBwKUC7Lm9DPTJhf7x-EZ3KRNoDD4gsM",
                "YVzZ1FT1CjSZeXwCjd_N5UQkdFRwQR1wrZyJ2VXXGvc"
            ]
        );
    }

    #[test]
    fn a_window_is_counted_from_1970_and_ends_before_the_next_one_begins() {
        let options = BY_ARGUMENTS.window(WINDOW);

        let [first, last, next] = [600, 899, 900].map(|seconds| id_at(&options, at(seconds)));

        assert_eq!(first, last);
        assert_ne!(last, next);
        assert_ne!(first, id_at(&BY_ARGUMENTS.window(WINDOW * 2), at(600)));
        assert_ne!(first, id_at(&BY_ARGUMENTS, at(600)));
    }

    #[test]
    fn a_time_before_1970_and_a_window_of_any_length_make_no_trouble() {
        let before = SystemTime::UNIX_EPOCH - WINDOW;
        for window in [Duration::from_nanos(1), WINDOW, Duration::MAX] {
            let options = BY_ARGUMENTS.window(window);

            assert_eq!(id_at(&options, before), id_at(&options, at(0)));
        }
    }

    #[test]
    fn a_task_that_runs_only_once_has_its_name_as_its_id_unless_a_call_gives_it_a_window() {
        let registered = UniqueOptions {
            of: Of::Name,
            window: None,
        };
        let mut windowed = Uniqueness::of_type(&registered);
        windowed.set_window(WINDOW);

        assert_eq!(id_at(&registered, at(0)), "Charge");
        assert_eq!(windowed.id("Charge", b"{}", at(0)).unwrap().len(), 43);
    }

    #[test]
    fn the_window_of_a_call_stays_when_it_also_gives_a_key_in_either_order() {
        let mut one = Uniqueness::of_type(&BY_ARGUMENTS.window(WINDOW * 7));
        let mut other = one.clone();
        one.set_window(WINDOW);
        one.set_key(&"k").unwrap();
        other.set_key(&"k").unwrap();
        let without = other.id("A", b"{}", at(0));
        other.set_window(WINDOW);

        assert_eq!(one.id("A", b"{}", at(0)), other.id("A", b"{}", at(0)));
        assert_ne!(one.id("A", b"{}", at(0)), without);
    }

    proptest! {
        #[test]
        fn every_id_is_one_that_cloud_tasks_takes(name in "\\PC*", seconds in 0..u64::from(u32::MAX), millis in 1_u64..) {
            let options = BY_ARGUMENTS.window(Duration::from_millis(millis));
            let id = Uniqueness::of_type(&options).id(&name, b"{}", at(seconds)).unwrap();

            prop_assert_eq!(id.len(), 43);
            prop_assert_eq!(crate::base::names::validate_task_id(&id), Ok(()));
        }

        #[test]
        fn two_times_are_in_one_window_when_it_begins_before_both(one in 0..10_000_u64, other in 0..10_000_u64, length in 1..500_u64) {
            let options = BY_ARGUMENTS.window(Duration::from_secs(length));
            let same = id_at(&options, at(one)) == id_at(&options, at(other));

            prop_assert_eq!(same, one / length == other / length);
        }
    }
}
