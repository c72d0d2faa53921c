//! The SQL of the table, as each kind of database has it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::base::error::Error;

/// The most bytes of a part of a table's name; `PostgreSQL` cuts a longer one.
const MAX_NAME: usize = 63;

/// The statements that a table is used with.
///
/// sqlx 0.9 takes a text that is not `'static` with a marker alone, and 0.8 has no such marker. So each text is kept for
/// ever, once for every name of a table.
#[derive(Clone, Copy)]
pub(super) struct Statements {
    pub(super) create: &'static [&'static str],
    /// Of a row, unless there is one of that key: key, claim, done, until.
    pub(super) insert: &'static str,
    /// Of a row: key. Its claim, done, until.
    pub(super) select: &'static str,
    /// Of a row that another claim made, and that has ended: claim, done, until, key, and the claim and the end it had.
    pub(super) take: &'static str,
    /// Of a claim: until, key, claim.
    pub(super) complete: &'static str,
    /// Of a claim: key, claim.
    pub(super) release: &'static str,
    /// Of all that has ended: now.
    pub(super) purge: &'static str,
}

/// What is different between databases.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Dialect {
    MySql,
    /// `PostgreSQL`, and `SQLite`, which knows all that is asked of it.
    Postgres,
}

static KNOWN: Mutex<Option<HashMap<(String, Dialect), Statements>>> = Mutex::new(None);

impl Statements {
    /// The statements for a table of a database, by the name that sqlx has for its kind.
    pub(super) fn of(table: &str, database: &str) -> Self {
        let dialect = match database {
            "MySQL" => Dialect::MySql,
            _ => Dialect::Postgres,
        };
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        *known
            .get_or_insert_default()
            .entry((table.to_owned(), dialect))
            .or_insert_with(|| Self::new(table, dialect))
    }

    fn new(table: &str, dialect: Dialect) -> Self {
        let kept = |text: String| -> &'static str { dialect.numbered(&text).leak() };
        let unless_there = match dialect {
            Dialect::MySql => "ON DUPLICATE KEY UPDATE effect = effect",
            Dialect::Postgres => "ON CONFLICT (effect) DO NOTHING",
        };
        let create = match dialect {
            Dialect::MySql => vec![kept(format!(
                "CREATE TABLE IF NOT EXISTS {table} (effect VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, \
                 claim CHAR(32) NOT NULL, done BIGINT NOT NULL, until_ms BIGINT NOT NULL, INDEX (until_ms))"
            ))],
            Dialect::Postgres => {
                let index = table.replace('.', "_");
                vec![
                    kept(format!(
                        "CREATE TABLE IF NOT EXISTS {table} (effect VARCHAR(255) PRIMARY KEY, claim VARCHAR(32) NOT NULL, \
                         done BIGINT NOT NULL, until_ms BIGINT NOT NULL)"
                    )),
                    kept(format!(
                        "CREATE INDEX IF NOT EXISTS {index}_until_ms ON {table} (until_ms)"
                    )),
                ]
            }
        };
        Self {
            create: create.leak(),
            insert: kept(format!(
                "INSERT INTO {table} (effect, claim, done, until_ms) VALUES (?, ?, ?, ?) {unless_there}"
            )),
            select: kept(format!(
                "SELECT claim, done, until_ms FROM {table} WHERE effect = ?"
            )),
            take: kept(format!(
                "UPDATE {table} SET claim = ?, done = ?, until_ms = ? WHERE effect = ? AND claim = ? AND \
                 until_ms = ?"
            )),
            complete: kept(format!(
                "UPDATE {table} SET done = 1, until_ms = ? WHERE effect = ? AND claim = ?"
            )),
            release: kept(format!(
                "DELETE FROM {table} WHERE effect = ? AND claim = ? AND done = 0"
            )),
            purge: kept(format!("DELETE FROM {table} WHERE until_ms <= ?")),
        }
    }
}

impl Dialect {
    /// The text with its places as the database counts them; nothing else in it is a question mark.
    fn numbered(self, text: &str) -> String {
        if self == Self::MySql {
            return text.to_owned();
        }
        let mut parts = text.split('?');
        let first = parts.next().unwrap_or_default().to_owned();
        let numbered = parts.zip(1_u32..).map(|(part, place)| format!("${place}{part}"));
        std::iter::once(first).chain(numbered).collect()
    }
}

/// Refuses a name that is not to be written into SQL as it is.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let plain = |part: &str| {
        (1..=MAX_NAME).contains(&part.len())
            && !part.starts_with(|first: char| first.is_ascii_digit())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let parts: Vec<&str> = name.split('.').collect();
    if parts.len() <= 2 && parts.into_iter().all(plain) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the table {name:?} is not accepted: 1 to {MAX_NAME} letters, digits and `_`, the first no digit; a schema of that \
         form and `.` may stand in front"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbered_where_the_database_wants_it() {
        let mysql = Statements::of("effects", "MySQL");
        let postgres = Statements::of("jobs.effects", "PostgreSQL");

        assert_eq!(
            mysql.release,
            "DELETE FROM effects WHERE effect = ? AND claim = ? AND done = 0"
        );
        assert_eq!(
            postgres.release,
            "DELETE FROM jobs.effects WHERE effect = $1 AND claim = $2 AND done = 0"
        );
        assert!(
            postgres.create[1]
                .starts_with("CREATE INDEX IF NOT EXISTS jobs_effects_until_ms ON jobs.effects")
        );
    }

    #[test]
    fn the_texts_of_a_table_are_kept_once() {
        let one = Statements::of("kept_once", "SQLite");
        let other = Statements::of("kept_once", "PostgreSQL");

        assert!(std::ptr::eq(one.insert, other.insert));
    }

    #[test]
    fn a_name_that_is_more_than_a_name_is_refused() {
        let long = "t".repeat(64);
        for name in ["effects", "_e1", "jobs.effects", &long[1..]] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in [
            "", "1e", "a b", "a;b", "a\"b", "a.", ".a", "a.b.c", "é", "a?", &long,
        ] {
            let error = check_name(name).unwrap_err();
            assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
        }
    }
}
