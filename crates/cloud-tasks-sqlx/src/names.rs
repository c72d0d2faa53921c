//! Names of tables, quoted as each database quotes them.

use cloud_tasks::{Error, ErrorKind};

/// The maximum length of a part of a name in bytes; `PostgreSQL` truncates longer ones.
const MAX_NAME: usize = 63;
/// What the name of the index ends with.
const INDEX: &str = "_expires_at_ms";
/// The number of bytes kept of a name that is too long for that, so that it stays recognizable.
const KEPT_BYTES: usize = 32;

/// The name of a table, with its schema or without. Its parts need no escapes between quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableName {
    schema: Option<String>,
    table: String,
}

impl TableName {
    /// A name that is a constant of this crate.
    pub(crate) fn new(table: &'static str) -> Self {
        Self {
            schema: None,
            table: table.to_owned(),
        }
    }

    /// Reads `effects` or `schema.effects`.
    pub(crate) fn parse(name: &str) -> Result<Self, Error> {
        let plain = |part: &str| {
            (1..=MAX_NAME).contains(&part.len())
                && !part.starts_with(|first: char| first.is_ascii_digit())
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let (schema, table) = match name.split_once('.') {
            Some((schema, table)) => (Some(schema), table),
            None => (None, name),
        };
        if plain(table) && schema.is_none_or(plain) {
            return Ok(Self {
                schema: schema.map(str::to_owned),
                table: table.to_owned(),
            });
        }
        Err(Error::new(
            ErrorKind::InvalidRequest,
            format!(
                "{name:?} is not a valid table name: use 1 to {MAX_NAME} letters, digits and `_` that do not start with a digit, \
                 optionally after a schema of the same form and a `.`"
            ),
        ))
    }

    /// The table, with its schema.
    pub(crate) fn quoted(&self, quote: char) -> String {
        self.in_schema(&self.table, quote)
    }

    /// The table, without its schema.
    pub(crate) fn quoted_table(&self, quote: char) -> String {
        format!("{quote}{}{quote}", self.table)
    }

    /// The name of the table's index, with the table's schema.
    pub(crate) fn quoted_index_in_schema(&self, quote: char) -> String {
        self.in_schema(&self.index(), quote)
    }

    /// The name of the table's index.
    pub(crate) fn quoted_index(&self, quote: char) -> String {
        format!("{quote}{}{quote}", self.index())
    }

    fn in_schema(&self, name: &str, quote: char) -> String {
        match &self.schema {
            Some(schema) => format!("{quote}{schema}{quote}.{quote}{name}{quote}"),
            None => format!("{quote}{name}{quote}"),
        }
    }

    /// A name that fits: `PostgreSQL` would cut a longer one down to the name of the table, and then find that it exists.
    fn index(&self) -> String {
        let table = &self.table;
        if table.len() + INDEX.len() <= MAX_NAME {
            return format!("{table}{INDEX}");
        }
        // ASCII only, so it can be cut anywhere.
        let (kept, hash) = (&table[..KEPT_BYTES], fnv1a(table));
        format!("{kept}_{hash:016x}{INDEX}")
    }
}

/// The 64-bit FNV-1a hash, which is the same in each version of this crate.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_part_by_part() {
        let order = TableName::parse("order").unwrap();
        let effects = TableName::parse("jobs.effects").unwrap();

        assert_eq!(order.quoted('`'), "`order`");
        assert_eq!(effects.quoted('"'), r#""jobs"."effects""#);
        assert_eq!(effects.quoted_table('"'), r#""effects""#);
        assert_eq!(effects.quoted_index('"'), r#""effects_expires_at_ms""#);
        assert_eq!(
            effects.quoted_index_in_schema('"'),
            r#""jobs"."effects_expires_at_ms""#
        );
    }

    #[test]
    fn the_name_of_an_index_fits_and_differs_for_each_table() {
        let index = |name: &str| TableName::parse(name).unwrap().index();
        let (long, longest) = ("t".repeat(50), "t".repeat(63));

        assert_eq!(index(&"t".repeat(49)).len(), 63);
        assert_eq!(
            index(&long),
            format!("{}_e2839d4484f143d5_expires_at_ms", "t".repeat(32))
        );
        assert_eq!(index(&longest).len(), 63);
        assert_ne!(index(&long), index(&longest));
    }

    #[test]
    fn a_table_name_that_would_need_escapes_is_rejected() {
        let long = "t".repeat(64);
        for name in ["effects", "_e1", "jobs.effects", "order", &long[1..]] {
            assert!(TableName::parse(name).is_ok(), "{name}");
        }
        for name in [
            "", "1e", "a b", "a;b", "a\"b", "a`b", "a.", ".a", "a.b.c", "é", "a?", &long,
        ] {
            let error = TableName::parse(name).unwrap_err();
            assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
        }
    }
}
