//! The mistake in a filter: where it is, what stands there, and what is accepted instead.

use std::error::Error;
use std::fmt;
use std::ops::Range;

/// A mistake in a filter: where it is, what was found there, and what is accepted.
///
/// Its [`Display`](fmt::Display) is one line; [`pretty`](Self::pretty) also points into the text.
///
/// # Examples
///
/// ```
/// use cloud_tasks::event::Filter;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let error = Filter::parse("attributes.name = high").err().ok_or("a value is quoted")?;
///
/// assert_eq!(
///     error.to_string(),
///     r#"expected a quoted string after `=` at column 19, found `high`; write "high""#,
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError(Box<Mistake>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mistake {
    text: String,
    span: Range<usize>,
    expected: String,
    found: String,
    help: Option<String>,
}

impl FilterError {
    /// `span` lies within `text`, on character boundaries.
    pub(super) fn new(
        text: &str,
        span: Range<usize>,
        expected: impl Into<String>,
        found: impl Into<String>,
        help: Option<String>,
    ) -> Self {
        Self(Box::new(Mistake {
            text: text.to_owned(),
            span,
            expected: expected.into(),
            found: found.into(),
            help,
        }))
    }

    /// Returns where the mistake is, as an offset in bytes.
    ///
    /// The offset is on a character boundary, and at most the length of the text.
    ///
    /// # Examples
    ///
    /// ```
    /// use cloud_tasks::event::Filter;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let error = Filter::parse(r#"attributes.name = "été" and"#).err().ok_or("operators are upper-case")?;
    ///
    /// assert_eq!((error.position(), error.column()), (26, 25));
    /// # Ok(())
    /// # }
    /// ```
    pub fn position(&self) -> usize {
        self.0.span.start
    }

    /// Returns the line of the mistake, counted from 1.
    ///
    /// # Examples
    ///
    /// ```
    /// use cloud_tasks::event::Filter;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let error = Filter::parse("attributes:a\n  && attributes:b").err().ok_or("operators are words")?;
    ///
    /// assert_eq!((error.line(), error.column()), (2, 3));
    /// # Ok(())
    /// # }
    /// ```
    pub fn line(&self) -> usize {
        line(&self.0.text, self.position())
    }

    /// Returns the column of the mistake in its line, counted in characters from 1.
    ///
    /// # Examples
    ///
    /// ```
    /// use cloud_tasks::event::Filter;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let error = Filter::parse("priority:high").err().ok_or("an attribute begins with `attributes`")?;
    ///
    /// assert_eq!(error.column(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn column(&self) -> usize {
        column(&self.0.text, self.position())
    }

    /// Returns what was found at the mistake.
    ///
    /// # Examples
    ///
    /// ```
    /// use cloud_tasks::event::Filter;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let error = Filter::parse("attributes.name = ").err().ok_or("the value is missing")?;
    ///
    /// assert_eq!(error.found(), "the end of the filter");
    /// # Ok(())
    /// # }
    /// ```
    pub fn found(&self) -> &str {
        &self.0.found
    }

    /// Returns what is accepted where the mistake is.
    ///
    /// # Examples
    ///
    /// ```
    /// use cloud_tasks::event::Filter;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let error = Filter::parse(r#"attributes.name == "x""#).err().ok_or("there is no `==`")?;
    ///
    /// assert_eq!(error.expected(), "`=` or `!=` after the key");
    /// # Ok(())
    /// # }
    /// ```
    pub fn expected(&self) -> &str {
        &self.0.expected
    }

    /// Returns how to put it right, when that can be told.
    ///
    /// # Examples
    ///
    /// ```
    /// use cloud_tasks::event::Filter;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let error = Filter::parse("attributes:a or attributes:b").err().ok_or("operators are upper-case")?;
    ///
    /// assert_eq!(error.help(), Some("operators are upper-case: `OR`"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// Returns the message with the line of the filter below it, and the mistake underlined.
    ///
    /// # Examples
    ///
    /// ```
    /// use cloud_tasks::event::Filter;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let error = Filter::parse("attributes.name = high").err().ok_or("a value is quoted")?;
    ///
    /// assert_eq!(
    ///     error.pretty(),
    ///     "\
    /// expected a quoted string after `=` at column 19, found `high`; write \"high\"
    ///   attributes.name = high
    ///                     ^^^^",
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn pretty(&self) -> String {
        let line = self.0.text.split('\n').nth(self.line() - 1).unwrap_or_default();
        // A tab or another control character would move the caret away from what it points at.
        let shown = line.replace(char::is_control, " ");
        let left = self.column() - 1;
        let marked = self
            .0
            .text
            .get(self.0.span.clone())
            .unwrap_or_default()
            .chars()
            .count();
        let carets = "^".repeat(marked.min(line.chars().count().saturating_sub(left)).max(1));
        format!("{self}\n  {shown}\n  {:left$}{carets}", "")
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mistake {
            text,
            expected,
            found,
            ..
        } = &*self.0;
        write!(
            f,
            "expected {expected} at {}, found {found}",
            place(text, self.position())
        )?;
        match self.help() {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl Error for FilterError {}

/// The line of a byte offset, from 1.
fn line(text: &str, position: usize) -> usize {
    text.get(..position).unwrap_or_default().matches('\n').count() + 1
}

/// The column of a byte offset in its line, counted in characters from 1.
fn column(text: &str, position: usize) -> usize {
    let before = text.get(..position).unwrap_or_default();
    before.rsplit('\n').next().unwrap_or_default().chars().count() + 1
}

/// How messages name a place; the line matters only where there is more than one.
pub(super) fn place(text: &str, position: usize) -> String {
    let column = column(text, position);
    if text.contains('\n') {
        format!("line {}, column {column}", line(text, position))
    } else {
        format!("column {column}")
    }
}

/// A piece of the filter for a message: on one line, whatever it contains.
pub(super) fn shown(piece: &str) -> String {
    let mut shown = String::new();
    for character in piece.chars() {
        match character {
            '"' | '\'' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
}

/// The same, marked as quoted from the filter.
pub(super) fn quoted(piece: &str) -> String {
    format!("`{}`", shown(piece))
}
