//! The SQL of the idempotency table, in the dialect of each database.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use cloud_tasks::{Error, ErrorKind};

/// The maximum length of a part of a table name in bytes; `PostgreSQL` truncates longer ones.
const MAX_NAME: usize = 63;

/// The statements of one table. Each comment lists the values of the placeholders, in order.
///
/// sqlx 0.9 accepts a query that is not `'static` only in a wrapper that sqlx 0.8 does not have. Each statement is
/// therefore leaked, once per table name.
#[derive(Clone, Copy)]
pub(crate) struct Statements {
    pub(crate) create: &'static [&'static str],
    /// Adds a row unless its key exists: key, claim token, state, runs, end of the lease, expiry.
    pub(crate) insert: &'static str,
    /// Reads claim token, state, runs, end of the lease and expiry of a row: key.
    pub(crate) select: &'static str,
    /// Replaces a claim that has ended: claim token, state, runs, end of the lease, expiry, key, previous claim token, previous
    /// end of the lease.
    pub(crate) take_over: &'static str,
    /// Extends a claim: end of the lease, expiry, key, claim token.
    pub(crate) renew: &'static str,
    /// Ends a claim: state, end of the lease, expiry, key, claim token.
    pub(crate) settle: &'static str,
    /// Deletes every row that has expired: now.
    pub(crate) purge: &'static str,
}

/// The dialects of SQL.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Dialect {
    MySql,
    /// `PostgreSQL` and `SQLite`.
    Postgres,
}

static CACHE: Mutex<Option<HashMap<(String, Dialect), Statements>>> = Mutex::new(None);

impl Statements {
    /// The statements for a table. `database` is the value of `sqlx::Database::NAME`.
    pub(crate) fn of(table: &str, database: &str) -> Self {
        let dialect = match database {
            "MySQL" => Dialect::MySql,
            _ => Dialect::Postgres,
        };
        let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
        *cache
            .get_or_insert_default()
            .entry((table.to_owned(), dialect))
            .or_insert_with(|| Self::new(table, dialect))
    }

    fn new(table: &str, dialect: Dialect) -> Self {
        let leak = |text: String| -> &'static str { dialect.numbered(&text).leak() };
        let unless_exists = match dialect {
            Dialect::MySql => "ON DUPLICATE KEY UPDATE effect = effect",
            Dialect::Postgres => "ON CONFLICT (effect) DO NOTHING",
        };
        let create = match dialect {
            Dialect::MySql => vec![leak(format!(
                "CREATE TABLE IF NOT EXISTS {table} (effect VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY, \
                 claim_token CHAR(32) NOT NULL, state BIGINT NOT NULL, runs BIGINT NOT NULL, leased_until_ms BIGINT NOT NULL, \
                 expires_at_ms BIGINT NOT NULL, INDEX (expires_at_ms))"
            ))],
            Dialect::Postgres => {
                let index = table.replace('.', "_");
                vec![
                    leak(format!(
                        "CREATE TABLE IF NOT EXISTS {table} (effect VARCHAR(255) PRIMARY KEY, claim_token VARCHAR(32) NOT NULL, \
                         state BIGINT NOT NULL, runs BIGINT NOT NULL, leased_until_ms BIGINT NOT NULL, expires_at_ms BIGINT NOT NULL)"
                    )),
                    leak(format!(
                        "CREATE INDEX IF NOT EXISTS {index}_expires_at_ms ON {table} (expires_at_ms)"
                    )),
                ]
            }
        };
        Self {
            create: create.leak(),
            insert: leak(format!(
                "INSERT INTO {table} (effect, claim_token, state, runs, leased_until_ms, expires_at_ms) \
                 VALUES (?, ?, ?, ?, ?, ?) {unless_exists}"
            )),
            select: leak(format!(
                "SELECT claim_token, state, runs, leased_until_ms, expires_at_ms FROM {table} WHERE effect = ?"
            )),
            take_over: leak(format!(
                "UPDATE {table} SET claim_token = ?, state = ?, runs = ?, leased_until_ms = ?, expires_at_ms = ? \
                 WHERE effect = ? AND claim_token = ? AND leased_until_ms = ?"
            )),
            renew: leak(format!(
                "UPDATE {table} SET leased_until_ms = ?, expires_at_ms = ? WHERE effect = ? AND claim_token = ? AND state = 0"
            )),
            settle: leak(format!(
                "UPDATE {table} SET state = ?, leased_until_ms = ?, expires_at_ms = ? \
                 WHERE effect = ? AND claim_token = ? AND state = 0"
            )),
            purge: leak(format!("DELETE FROM {table} WHERE expires_at_ms <= ?")),
        }
    }
}

impl Dialect {
    /// Replaces question marks by the placeholders of the dialect.
    fn numbered(self, text: &str) -> String {
        if self == Self::MySql {
            return text.to_owned();
        }
        let mut parts = text.split('?');
        let first = parts.next().unwrap_or_default().to_owned();
        let numbered = parts
            .zip(1_u32..)
            .map(|(part, number)| format!("${number}{part}"));
        std::iter::once(first).chain(numbered).collect()
    }
}

/// Rejects a table name that is not safe in a statement.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
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
    Err(Error::new(
        ErrorKind::InvalidRequest,
        format!(
            "{name:?} is not a valid table name: use 1 to {MAX_NAME} letters, digits and `_` that do not start with a digit, \
             optionally after a schema of the same form and a `.`"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_those_of_the_database() {
        let mysql = Statements::of("effects", "MySQL");
        let postgres = Statements::of("jobs.effects", "PostgreSQL");

        assert_eq!(
            mysql.renew,
            "UPDATE effects SET leased_until_ms = ?, expires_at_ms = ? WHERE effect = ? AND claim_token = ? AND state = 0"
        );
        assert_eq!(
            postgres.renew,
            "UPDATE jobs.effects SET leased_until_ms = $1, expires_at_ms = $2 WHERE effect = $3 AND claim_token = $4 AND state = 0"
        );
        assert!(
            postgres.create[1]
                .starts_with("CREATE INDEX IF NOT EXISTS jobs_effects_expires_at_ms ON jobs.effects")
        );
    }

    #[test]
    fn the_statements_of_a_table_are_leaked_once() {
        let first = Statements::of("leaked_once", "SQLite");
        let second = Statements::of("leaked_once", "PostgreSQL");

        assert!(std::ptr::eq(first.insert, second.insert));
    }

    #[test]
    fn a_table_name_that_needs_quotes_is_rejected() {
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
