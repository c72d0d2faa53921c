//! The SQL of the idempotency table, in the dialect of each database.

use std::time::Duration;

use crate::names::TableName;
use crate::queries::{Protocol, Template};

/// The number of rows that are purged at once: few enough that a claim hardly waits for them.
pub(crate) const PURGED_AT_ONCE: i64 = 1000;

/// The dialects of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `MySQL` and `MariaDB`.
    MySql,
    Postgres,
    /// `SQLite`, and whatever else can be reached through sqlx.
    Sqlite,
}

impl Dialect {
    /// `database` is the value of `sqlx::Database::NAME`.
    pub(crate) fn of(database: &str) -> Self {
        match database {
            "MySQL" => Self::MySql,
            "PostgreSQL" => Self::Postgres,
            _ => Self::Sqlite,
        }
    }

    fn quote(self) -> char {
        match self {
            // Also with `ANSI_QUOTES`.
            Self::MySql => '`',
            Self::Postgres | Self::Sqlite => '"',
        }
    }

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

/// The statements of one table. Each comment lists the values, in order.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) create: Vec<String>,
    /// Adds a row unless its key exists: key, claim token, state, runs, end of the lease, expiry.
    pub(crate) insert: Template,
    /// Reads claim token, state, runs, end of the lease and expiry of a row: key.
    pub(crate) select: Template,
    /// Replaces a claim that has ended: claim token, state, runs, end of the lease, expiry, key, previous claim token, previous
    /// end of the lease.
    pub(crate) take_over: Template,
    /// Extends a claim: end of the lease, expiry, key, claim token.
    pub(crate) renew: Template,
    /// Ends a claim: state, end of the lease, expiry, key, claim token.
    pub(crate) settle: Template,
    /// Counts the rows that have expired: now.
    pub(crate) count_expired: Template,
    /// Deletes some of the rows that have expired: now.
    pub(crate) purge: Template,
    /// Limits the waits for locks in a transaction that has no limit, and returns a row then; and lifts the limit.
    pub(crate) lock_limit: Option<(Template, Template)>,
}

impl Statements {
    pub(crate) fn new(
        name: &TableName,
        dialect: Dialect,
        lock_timeout: Duration,
        protocol: Protocol,
    ) -> Self {
        let table = name.quoted(dialect.quote());
        let template = |text: String| match protocol {
            Protocol::Prepared => Template::Prepared(dialect.numbered(&text).into()),
            Protocol::Text => Template::Text(text),
        };
        // Limits the wait of one statement, without a trace in the session, which may be another's next.
        let ms = lock_timeout.as_millis().clamp(1, 2_147_483_647);
        let limit = match dialect {
            // MySQL reads a comment.
            Dialect::MySql => format!(
                "/*M!100100 SET STATEMENT innodb_lock_wait_timeout={} FOR */ ",
                ms.div_ceil(1000)
            ),
            // A limit of the program's own stays.
            Dialect::Postgres => format!(
                "WITH lock_limit AS (SELECT CASE current_setting('lock_timeout') WHEN '0' THEN \
                 set_config('lock_timeout', '{ms}', true) END) "
            ),
            Dialect::Sqlite => String::new(),
        };
        let (from_limit, values, unless_exists) = match dialect {
            Dialect::MySql => (
                "",
                "VALUES (?, ?, ?, ?, ?, ?)",
                "ON DUPLICATE KEY UPDATE effect = effect",
            ),
            Dialect::Postgres => (
                "FROM lock_limit ",
                "SELECT ?, ?, ?, ?, ?, ? FROM lock_limit",
                "ON CONFLICT (effect) DO NOTHING",
            ),
            Dialect::Sqlite => ("", "VALUES (?, ?, ?, ?, ?, ?)", "ON CONFLICT (effect) DO NOTHING"),
        };
        Self {
            create: create(name, dialect),
            insert: template(format!(
                "{limit}INSERT INTO {table} (effect, claim_token, state, runs, leased_until_ms, expires_at_ms) {values} {unless_exists}"
            )),
            select: template(format!(
                "SELECT claim_token, state, runs, leased_until_ms, expires_at_ms FROM {table} WHERE effect = ?"
            )),
            take_over: template(format!(
                "{limit}UPDATE {table} SET claim_token = ?, state = ?, runs = ?, leased_until_ms = ?, expires_at_ms = ? \
                 {from_limit}WHERE effect = ? AND claim_token = ? AND leased_until_ms = ?"
            )),
            renew: template(format!(
                "{limit}UPDATE {table} SET leased_until_ms = ?, expires_at_ms = ? \
                 {from_limit}WHERE effect = ? AND claim_token = ? AND state = 0"
            )),
            settle: template(format!(
                "{limit}UPDATE {table} SET state = ?, leased_until_ms = ?, expires_at_ms = ? \
                 {from_limit}WHERE effect = ? AND claim_token = ? AND state = 0"
            )),
            count_expired: template(format!("SELECT count(*) FROM {table} WHERE expires_at_ms <= ?")),
            purge: template(match dialect {
                Dialect::MySql => format!(
                    "{limit}DELETE FROM {table} WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT {PURGED_AT_ONCE}"
                ),
                // Waits for nobody who takes over what has expired.
                Dialect::Postgres => format!(
                    "DELETE FROM {table} WHERE effect IN (SELECT effect FROM {table} WHERE expires_at_ms <= ? \
                     ORDER BY expires_at_ms LIMIT {PURGED_AT_ONCE} FOR UPDATE SKIP LOCKED)"
                ),
                Dialect::Sqlite => format!(
                    "DELETE FROM {table} WHERE effect IN (SELECT effect FROM {table} WHERE expires_at_ms <= ? \
                     ORDER BY expires_at_ms LIMIT {PURGED_AT_ONCE})"
                ),
            }),
            lock_limit: (dialect == Dialect::Postgres).then(|| {
                let set =
                    |value| format!("SELECT length(set_config('lock_timeout', '{value}', true))::bigint");
                (
                    template(set(ms) + " WHERE current_setting('lock_timeout') = '0'"),
                    template(set(0)),
                )
            }),
        }
    }
}

/// The statements that create a table and its index.
///
/// Keys and tokens are compared byte by byte, whatever the server's default is: two keys may differ in the case of a letter alone.
fn create(name: &TableName, dialect: Dialect) -> Vec<String> {
    let quote = dialect.quote();
    let table = name.quoted(quote);
    let columns = |collation: &str| {
        format!(
            "effect VARCHAR(255){collation} PRIMARY KEY, claim_token VARCHAR(32){collation} NOT NULL, state BIGINT NOT NULL, \
             runs BIGINT NOT NULL, leased_until_ms BIGINT NOT NULL, expires_at_ms BIGINT NOT NULL"
        )
    };
    match dialect {
        Dialect::MySql => vec![format!(
            "CREATE TABLE IF NOT EXISTS {table} ({}, INDEX (expires_at_ms)) ENGINE = InnoDB",
            columns(" CHARACTER SET ascii COLLATE ascii_bin")
        )],
        Dialect::Postgres => vec![
            // Other collations change with the operating system, and an index is then out of order.
            format!(
                "CREATE TABLE IF NOT EXISTS {table} ({})",
                columns(" COLLATE \"C\"")
            ),
            format!(
                "CREATE INDEX IF NOT EXISTS {} ON {table} (expires_at_ms)",
                name.quoted_index(quote)
            ),
        ],
        Dialect::Sqlite => vec![
            format!("CREATE TABLE IF NOT EXISTS {table} ({})", columns("")),
            // The schema stands before the index, and the table is looked for in it.
            format!(
                "CREATE INDEX IF NOT EXISTS {} ON {} (expires_at_ms)",
                name.quoted_index_in_schema(quote),
                name.quoted_table(quote)
            ),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(name: &str, database: &str, protocol: Protocol) -> Statements {
        let name = TableName::parse(name).unwrap();
        Statements::new(
            &name,
            Dialect::of(database),
            Duration::from_millis(1500),
            protocol,
        )
    }

    fn text(template: &Template) -> String {
        template
            .query(vec!["a".into(), 1.into(), 2.into(), 3.into()])
            .text
            .to_string()
    }

    #[test]
    fn placeholders_quotes_and_lock_timeouts_are_those_of_the_database() {
        for (database, renew) in [
            (
                "MySQL",
                "/*M!100100 SET STATEMENT innodb_lock_wait_timeout=2 FOR */ UPDATE `jobs`.`order` SET leased_until_ms = ?, \
                 expires_at_ms = ? WHERE effect = ? AND claim_token = ? AND state = 0",
            ),
            (
                "PostgreSQL",
                "WITH lock_limit AS (SELECT CASE current_setting('lock_timeout') WHEN '0' THEN set_config('lock_timeout', '1500', \
                 true) END) UPDATE \"jobs\".\"order\" SET leased_until_ms = $1, expires_at_ms = $2 FROM lock_limit WHERE effect = $3 \
                 AND claim_token = $4 AND state = 0",
            ),
            (
                "SQLite",
                "UPDATE \"jobs\".\"order\" SET leased_until_ms = $1, expires_at_ms = $2 WHERE effect = $3 AND claim_token = $4 AND \
                 state = 0",
            ),
        ] {
            assert_eq!(
                text(&statements("jobs.order", database, Protocol::Prepared).renew),
                renew
            );
        }
    }

    #[test]
    fn a_purge_has_a_limit_on_each_database() {
        for database in ["MySQL", "PostgreSQL", "SQLite"] {
            let purge = text(&statements("effects", database, Protocol::Text).purge);
            assert!(purge.contains(" ORDER BY expires_at_ms LIMIT 1000"), "{purge}");
        }
    }
}
