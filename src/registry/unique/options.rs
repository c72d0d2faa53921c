//! The uniqueness options of `#[task]`.

use std::time::Duration;

use cloud_tasks_rules::limits::WINDOW;
use serde::Serialize;

use super::{Of, UniqueFields, UniqueOptions};
use crate::base::{Invalid, json, names};

impl UniqueOptions {
    /// Tasks with equal arguments are the same.
    pub const fn new() -> Self {
        Self {
            of: Of::Arguments,
            window: None,
        }
    }

    /// Tasks with equal fields are the same: those that the type's `__unique_fields` adds.
    pub const fn by_fields(mut self) -> Self {
        self.of = Of::Fields;
        self
    }

    /// Restricts this to time windows of this length.
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = Some(window);
        self
    }

    /// All tasks of the type are the same; the id is the type's name.
    pub(crate) const fn only_once() -> Self {
        Self {
            of: Of::Name,
            window: None,
        }
    }

    /// The errors of these options for a task of this name.
    pub(crate) fn errors(&self, name: &str) -> impl Iterator<Item = Invalid> {
        let window = self.window.and_then(|window| validate_window(window).err());
        let by_name = self.of == Of::Name && names::validate_task_id(name).is_err();
        let name = by_name.then(|| {
            Invalid::because(format!(
                "the task {name:?} cannot run `only_once`: its name is then its id, which has 1 to 500 letters, digits, \
                 `_` and `-`; give it another `name`, or write `unique`"
            ))
        });
        window.into_iter().chain(name)
    }
}

impl Default for UniqueOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Validates a window.
pub(crate) fn validate_window(window: Duration) -> Result<(), Invalid> {
    Invalid::unless(WINDOW.contain(window), || {
        Invalid::new("the window 0s", WINDOW.words)
    })
}

impl UniqueFields {
    /// Adds a field.
    pub fn add<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) {
        self.text.push(if self.text.is_empty() { b'{' } else { b',' });
        let name = serde_json::to_writer(&mut self.text, name);
        self.text.push(b':');
        let value = json::encode_key(value).map(|value| self.text.extend_from_slice(&value));
        self.error = self.error.take().or(name.err()).or(value.err());
    }

    /// The fields as a JSON object.
    pub(super) fn into_json(mut self) -> Result<Vec<u8>, serde_json::Error> {
        match self.error {
            Some(error) => Err(error),
            None => {
                self.text.push(b'}');
                Ok(self.text)
            }
        }
    }
}
