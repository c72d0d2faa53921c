//! The filter itself, and how it is matched.

use std::fmt;
use std::str::FromStr;

use super::error::FilterError;
use super::parse::parse;

/// A Pub/Sub subscription filter that has been checked and can be matched in this process.
///
/// It keeps the text it was made from: that is what the service gets, and what [`Display`](fmt::Display) shows.
///
/// | text | matches a message |
/// |---|---|
/// | `attributes:key` | that has the attribute |
/// | `attributes.key = "value"` | whose attribute is exactly that |
/// | `attributes.key != "value"` | whose attribute is anything else, or absent |
/// | `hasPrefix(attributes.key, "prefix")` | whose attribute begins like that |
/// | `NOT a`, `-a` | that the condition does not match |
/// | `a AND b AND c` | that all of the conditions match |
/// | `a OR b OR c` | that any of the conditions matches |
/// | `(…)` | that the inside matches; needed wherever `AND` and `OR` meet |
///
/// A key is written plain when it consists of ASCII letters, digits, `-` and `_`, and in double quotes otherwise
/// (also when it begins with `-`, or is an operator); a value is always in double quotes. Inside the quotes, `\\`,
/// `\"`, `\'`, `\a`, `\b`, `\f`, `\n`, `\r`, `\t`, `\v`, `\x41`, `\101`, `\u0041` and `\U00000041` stand for a character.
/// Keys, values and operators are case-sensitive. A filter has at most 256 bytes, and can not be changed once the
/// subscription is there.
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

#[cfg(feature = "google")]
impl Filter {
    /// Whether another filter differs in its spelling alone.
    pub(crate) fn means_the_same_as(&self, other: &Self) -> bool {
        self.expression == other.expression
    }
}

/// What a filter means. `!=` is `Not(Equals)`: it also matches a message without the attribute.
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
    /// When the text is empty, longer than 256 bytes, nested more than 32 parentheses deep, or not in the filter
    /// language. The error says where the first mistake is, what stands there, and what is accepted. Nobody was asked:
    /// a text that passes can still be refused by the service.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let expression = parse(text)?;
        Ok(Self {
            text: text.into(),
            expression,
        })
    }

    /// Returns the text of the filter, exactly as it was given.
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

    /// Returns whether a message is delivered whose attributes `attribute` looks up; this allocates nothing.
    ///
    /// `attribute` gets a key and returns its value, or `None` when the message has no such attribute. It may be
    /// called for the same key more than once, and is not called for keys that can not change the result any more.
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
    /// Recurses as deep as the parentheses of the text do, which the parser bounds.
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
