//! Why a value is not accepted.

use std::fmt;

/// A value that is not accepted, as a sentence: what it is, why, and what is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invalid(String);

impl Invalid {
    /// The sentence `{what} is not accepted: {accepted}`.
    pub fn new(what: impl fmt::Display, accepted: impl fmt::Display) -> Self {
        Self(format!("{what} is not accepted: {accepted}"))
    }

    /// A sentence of its own, for a value that depends on another one.
    pub fn because(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    /// Adds whose value it is: `{owner}: {self}`.
    pub fn of(self, owner: impl fmt::Display) -> Self {
        Self(format!("{owner}: {self}"))
    }

    /// Adds where it is written: `{self} ({place})`.
    pub fn at(self, place: impl fmt::Display) -> Self {
        Self(format!("{self} ({place})"))
    }

    /// Several errors as one text.
    pub fn join(errors: &[Self]) -> String {
        let texts: Vec<_> = errors.iter().map(|error| error.0.as_str()).collect();
        texts.join("; ")
    }

    /// `Ok` if the value is valid, otherwise the error.
    pub fn unless(is_valid: bool, error: impl FnOnce() -> Self) -> Result<(), Self> {
        if is_valid { Ok(()) } else { Err(error()) }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Invalid> for String {
    fn from(invalid: Invalid) -> Self {
        invalid.0
    }
}
