//! Statements and their values, as they are sent.

use std::sync::Arc;

/// How values are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Beside a prepared statement.
    Prepared,
    /// As literals in its text.
    Text,
}

/// A value of a statement.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// The text of a key or of a token: letters, digits and `-_./%#`, so it needs no escapes.
    Text(String),
    Number(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// A statement to be sent.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) text: Arc<str>,
    /// The values beside it; `None` for a statement that is not prepared.
    pub(crate) values: Option<Vec<Value>>,
}

impl Query {
    /// A statement without values, which is not prepared.
    pub(crate) fn text(text: &str) -> Self {
        Self {
            text: text.into(),
            values: None,
        }
    }
}

/// A statement to which values are added.
#[derive(Debug)]
pub(crate) enum Template {
    /// With the placeholders of the database.
    Prepared(Arc<str>),
    /// With a question mark for each value.
    Text(String),
}

impl Template {
    pub(crate) fn query(&self, values: Vec<Value>) -> Query {
        match self {
            Self::Prepared(text) => Query {
                text: Arc::clone(text),
                values: Some(values),
            },
            Self::Text(text) => Query::text(&with_literals(text, &values)),
        }
    }
}

/// Replaces question marks by values.
fn with_literals(template: &str, values: &[Value]) -> String {
    let mut parts = template.split('?');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (part, value) in parts.zip(values) {
        match value {
            Value::Text(value) => text.extend(["'", value, "'"]),
            Value::Number(number) => text.push_str(&number.to_string()),
        }
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use cloud_tasks::idempotency::{ClaimToken, IdempotencyKey};

    use super::*;

    #[test]
    fn values_in_a_text_need_no_escapes() {
        let select = Template::Text("SELECT 1 WHERE effect = ?".to_owned());
        for key in [
            "'; DROP TABLE users; --",
            "\\",
            "a?b",
            "\0",
            "ä\u{202e}\"",
            &"'".repeat(1000),
        ] {
            let key = IdempotencyKey::new(key);
            let sent = select.query(vec![key.as_str().into()]);

            assert!(sent.values.is_none());
            let literal = sent.text.split_once(" WHERE effect = ").unwrap().1;
            assert_eq!(literal, format!("'{}'", key.as_str()));
            assert!(!key.as_str().contains(['\'', '\\', '?', '"', '\0']), "{key}");
        }
        let token = ClaimToken::random();
        assert!(
            token.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{token:?}"
        );
    }
}
