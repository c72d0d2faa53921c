//! The error of a filter that does not parse: a message and a position.

use std::error::Error;
use std::fmt;
use std::ops::Range;

/// The reason that a filter does not parse, and the byte at which parsing stopped.
///
/// The [`Display`](fmt::Display) text is one line. It says what was expected, where, and what was found instead.
///
/// ```
/// use cloud_tasks::event::Filter;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let error = Filter::parse("attributes.name = high").err().ok_or("a value must be quoted")?;
///
/// assert_eq!(
///     error.to_string(),
///     r#"expected a quoted string after `=` at column 19, found `high`; write "high""#,
/// );
/// assert_eq!(error.position(), 18);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    message: Box<str>,
    position: usize,
}

impl FilterError {
    /// `span` lies within `text`, on character boundaries.
    pub(super) fn new(
        text: &str,
        span: Range<usize>,
        expected: impl fmt::Display,
        found: impl fmt::Display,
        help: Option<String>,
    ) -> Self {
        let place = place(text, span.start);
        let mut message = format!("expected {expected} at {place}, found {found}");
        if let Some(help) = help {
            message.push_str("; ");
            message.push_str(&help);
        }
        Self {
            message: message.into(),
            position: span.start,
        }
    }

    /// Returns the position of the error as a byte offset into the filter.
    ///
    /// The offset is on a character boundary, and at most the length of the filter.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for FilterError {}

/// The line of a byte offset, starting at 1.
fn line(text: &str, position: usize) -> usize {
    text.get(..position).unwrap_or_default().matches('\n').count() + 1
}

/// The column of a byte offset in its line, in characters, starting at 1.
fn column(text: &str, position: usize) -> usize {
    let before = text.get(..position).unwrap_or_default();
    before.rsplit('\n').next().unwrap_or_default().chars().count() + 1
}

/// A position as messages show it; the line is included only if there is more than one.
pub(super) fn place(text: &str, position: usize) -> String {
    let column = column(text, position);
    if text.contains('\n') {
        format!("line {}, column {column}", line(text, position))
    } else {
        format!("column {column}")
    }
}

/// A piece of the filter for a message: on one line, whatever it contains.
pub(super) fn escaped(piece: &str) -> String {
    let mut text = String::new();
    for character in piece.chars() {
        match character {
            '"' | '\'' | '\\' => text.push(character),
            _ => text.extend(character.escape_debug()),
        }
    }
    text
}

/// A piece of the filter in quotes, for a message.
pub(super) fn quoted(piece: &str) -> String {
    format!("`{}`", escaped(piece))
}
