//! From a task to its id.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::canonical::canonical;
use super::options::{Of, UniqueFields, UniqueOptions};

/// What makes one task the same as another.
#[derive(Clone, Debug)]
pub(crate) struct Uniqueness {
    key: Key,
    window: Option<Duration>,
    /// Whether the window is the call's, and no type's.
    called: bool,
}

/// What tasks of one name are told apart by.
#[derive(Clone, Debug)]
enum Key {
    /// The body.
    Arguments,
    /// Fields of the type, as a JSON object.
    Fields(Vec<u8>),
    /// What a call says, as JSON.
    Given(Vec<u8>),
    /// Nothing but the name.
    Name,
}

impl Uniqueness {
    /// As a type says; where that is by fields, [`by_fields`](Self::by_fields) is to follow.
    pub(crate) fn of_type(options: &UniqueOptions) -> Self {
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

    /// By the fields that a function adds, where the type says so.
    pub(crate) fn by_fields(
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

    /// By the key of a call, which replaces all that the type says.
    pub(crate) fn set_key(&mut self, key: &impl Serialize) -> Result<(), serde_json::Error> {
        self.key = Key::Given(serde_json::to_vec(key)?);
        self.window = self.window.filter(|_| self.called);
        Ok(())
    }

    /// Only within windows of this length, as a call says.
    pub(crate) fn set_window(&mut self, window: Duration) {
        self.window = Some(window);
        self.called = true;
    }

    /// The id of a task with this body, enqueued now; or what is wrong with what it is made of.
    ///
    /// It is the hash of a JSON array: name, kind of the key, key, window. Tasks that wait are known by it, so it never
    /// changes.
    pub(crate) fn id(&self, task: &str, body: &[u8], now: SystemTime) -> Result<String, String> {
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
                "values that it is unique by"
            };
            format!("its {what} {}", refused.reason())
        })?;
        let name = serde_json::to_vec(task).map_err(|error| format!("its name is no text: {error}"))?;
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

/// The window that a time is in: its length in nanoseconds, and how many of them were over since 1970.
fn bucket(window: Duration, now: SystemTime) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let window = window.as_nanos().max(1);
    format!("[{window},{}]", since.as_nanos() / window)
}
