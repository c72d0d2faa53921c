//! The filter expression and its evaluation.

use std::fmt;
use std::str::FromStr;

use super::error::FilterError;
use super::parse::parse;

/// A parsed Pub/Sub subscription filter, which can be evaluated in this process.
///
/// It keeps its original text, which is what the service receives and what [`Display`](fmt::Display) prints.
///
/// | text | matches a message |
/// |---|---|
/// | `attributes:key` | that has the attribute |
/// | `attributes.key = "value"` | whose attribute equals the value |
/// | `attributes.key != "value"` | whose attribute is missing or has another value |
/// | `hasPrefix(attributes.key, "prefix")` | whose attribute begins with the prefix |
/// | `NOT a`, `-a` | that the condition does not match |
/// | `a AND b AND c` | that all conditions match |
/// | `a OR b OR c` | that any condition matches |
/// | `(…)` | that the condition inside matches; required to combine `AND` and `OR` |
///
/// A key is written without quotes if it consists of ASCII letters, digits, `-` and `_`; otherwise, or if it begins
/// with `-` or is an operator, it is written in double quotes. A value is always in double quotes. Inside quotes, `\\`,
/// `\"`, `\'`, `\a`, `\b`, `\f`, `\n`, `\r`, `\t`, `\v`, `\x41`, `\101`, `\u0041` and `\U00000041` are escapes. Keys,
/// values and operators are case-sensitive. A filter has at most 256 bytes and cannot be changed after the subscription
/// was created.
///
/// # Examples
///
/// ```
/// use cloud_tasks::event::Filter;
/// use std::collections::HashMap;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let filter: Filter = r#"attributes.priority = "high" AND NOT attributes:test"#.parse()?;
///
/// let attributes = HashMap::from([("priority", "high"), ("region", "eu")]);
/// assert!(filter.matches(|key| attributes.get(key).copied()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Filter {
    text: Box<str>,
    expression: Expression,
}

impl Filter {
    /// Whether another filter differs only in its spelling.
    #[doc(hidden)]
    pub fn means_the_same_as(&self, other: &Self) -> bool {
        self.expression == other.expression
    }
}

/// The expression tree. `!=` is `Not(Equals)`: it also matches a message without the attribute.
#[derive(Clone, PartialEq)]
pub(super) enum Expression {
    Has(Box<str>),
    Equals { key: Box<str>, value: Box<str> },
    HasPrefix { key: Box<str>, prefix: Box<str> },
    Not(Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
}

impl Filter {
    /// Parses a filter, as [`str::parse`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// use cloud_tasks::event::Filter;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let filter = Filter::parse(r#"hasPrefix(attributes."iana.org/language_tag", "en")"#)?;
    ///
    /// assert!(filter.matches(|key| (key == "iana.org/language_tag").then_some("en-GB")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the text is empty, longer than 256 bytes, nested more than 32 parentheses deep, or not in the filter
    /// language. The error has the position of the first mistake, what was found there, and what is accepted. Nothing
    /// is sent: the service may still reject a text that passes.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let expression = parse(text)?;
        Ok(Self {
            text: text.into(),
            expression,
        })
    }

    /// Returns the original text of the filter.
    ///
    /// # Examples
    ///
    /// ```
    /// use cloud_tasks::event::Filter;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let filter = Filter::parse(" attributes:priority ")?;
    ///
    /// assert_eq!(filter.as_str(), " attributes:priority ");
    /// # Ok(())
    /// # }
    /// ```
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether a message is delivered, given a function that looks up its attributes. Does not allocate.
    ///
    /// `attribute` receives a key and returns its value, or `None` if the message has no such attribute. It may be
    /// called more than once for a key, and is not called for keys that can no longer change the result.
    ///
    /// # Examples
    ///
    /// ```
    /// use cloud_tasks::event::Filter;
    /// use std::collections::BTreeMap;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let filter = Filter::parse(r#"attributes.priority != "low""#)?;
    ///
    /// let attributes = BTreeMap::from([("priority".to_owned(), "high".to_owned())]);
    /// assert!(filter.matches(|key| attributes.get(key).map(String::as_str)));
    /// assert!(filter.matches(|_| None), "a message without the attribute has no low priority either");
    /// # Ok(())
    /// # }
    /// ```
    pub fn matches<'a>(&self, attribute: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.expression.matches(&attribute)
    }
}

impl Expression {
    /// The recursion is as deep as the parentheses of the text, which the parser limits.
    fn matches<'a>(&self, attribute: &impl Fn(&str) -> Option<&'a str>) -> bool {
        match self {
            Self::Has(key) => attribute(key).is_some(),
            Self::Equals { key, value } => attribute(key) == Some(value),
            Self::HasPrefix { key, prefix } => {
                attribute(key).is_some_and(|value| value.starts_with(&**prefix))
            }
            Self::Not(inner) => !inner.matches(attribute),
            Self::All(parts) => parts.iter().all(|part| part.matches(attribute)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(attribute)),
        }
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.text).finish()
    }
}
