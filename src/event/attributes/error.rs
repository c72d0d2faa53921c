//! Errors of the attributes' deserializer, and the record of mismatched types.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, Expected, Unexpected};

use crate::base::{json, text};
use crate::event::attributes::value::Literal;

/// A value that had another type than its field, or a field that was not found.
#[derive(Debug, PartialEq)]
pub(super) enum Mismatch {
    /// A text, by its address: texts may be equal.
    Text(usize),
    /// A number or a boolean.
    Literal(Literal),
    /// The name of a field.
    Missing(&'static str),
}

thread_local! {
    /// The mismatches of the current reading. An untagged enum swallows the errors of its variants, so the errors alone do
    /// not tell them.
    static MISMATCHES: RefCell<Vec<Mismatch>> = const { RefCell::new(Vec::new()) };
}

/// The output of a function, and the mismatches that it met, in order.
pub(super) fn recorded<T>(read: impl FnOnce() -> T) -> (T, Vec<Mismatch>) {
    // A type that reads attributes while its own are read keeps its mismatches apart.
    let outer = MISMATCHES.take();
    let read = read();
    (read, MISMATCHES.replace(outer))
}

/// An error of serde.
#[derive(Debug)]
pub(super) struct Error {
    text: String,
    /// The sanitized key of the attribute; then the text contains no value.
    key: Option<String>,
    /// The address of the text that was not accepted.
    address: Option<usize>,
}

impl Error {
    /// The attributes were read too often.
    pub fn unread() -> Self {
        de::Error::custom("not read")
    }

    /// Removes the value from the text, and names the attribute.
    pub fn of_attribute(mut self, key: &str) -> Self {
        if self.key.is_none() {
            self.text = json::reason(&self.text);
            self.key = Some(text::excerpt(key).into_owned());
        }
        self
    }

    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    pub fn address(&self) -> Option<usize> {
        self.address
    }
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self {
            text: text.to_string(),
            key: None,
            address: None,
        }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let mut error = Self::custom(format_args!("invalid type: {unexpected}, expected {expected}"));
        let mismatch = match unexpected {
            Unexpected::Str(text) => {
                let address = text.as_ptr().addr();
                error.address = Some(address);
                Some(Mismatch::Text(address))
            }
            other => Literal::unexpected(other).map(Mismatch::Literal),
        };
        MISMATCHES.with_borrow_mut(|mismatches| mismatches.extend(mismatch));
        error
    }

    fn missing_field(field: &'static str) -> Self {
        MISMATCHES.with_borrow_mut(|mismatches| mismatches.push(Mismatch::Missing(field)));
        Self::custom(format_args!("missing field `{field}`"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
