//! What errors of the databases mean.

use super::sqlx::Error;

/// The SQLSTATEs of the SQL standard and of `PostgreSQL`, whole or from the start, after which a statement may succeed if it is repeated:
/// lost connections, serialization failures and deadlocks, too many connections, lock time-outs, cancelled statements, shutdowns.
const TRANSIENT_STATES: &[&str] = &["08", "40", "53300", "55P03", "57014", "57P01", "57P02", "57P03"];
/// The same for the numbers of `MySQL` and `MariaDB`, whose SQLSTATE is often `HY000`: a row that changed since the snapshot, a server that
/// shuts down, lock time-outs, deadlocks, killed statements and connections, statements that took too long.
const TRANSIENT_NUMBERS: &[u32] = &[1020, 1053, 1205, 1213, 1317, 1927, 1969, 3024];
/// The primary result codes of `SQLite`: another connection holds a lock.
const SQLITE_BUSY: u32 = 5;
const SQLITE_LOCKED: u32 = 6;

/// An answer of a database that is not what was asked for.
struct Answer {
    state: String,
    /// The number of an error of `MySQL`, the primary result code of `SQLite`.
    number: Option<u32>,
    is_sqlite: bool,
}

impl Answer {
    fn of(error: &Error) -> Option<Self> {
        let answer = error.as_database_error()?;
        let state = answer.code().unwrap_or_default().into_owned();
        // A SQLSTATE has five characters; the codes of SQLite have four digits at most.
        let is_sqlite = state.len() < 5;
        let number = if is_sqlite {
            // The primary code is the lowest byte of an extended one.
            state.parse::<u32>().ok().map(|code| code & 0xff)
        } else {
            // `1205 (HY000): Lock wait timeout exceeded`: the number is a method of MySQL's own type, and this crate
            // does not depend on any database.
            let text = answer.to_string();
            text.split(' ').next().and_then(|number| number.parse().ok())
        };
        Some(Self {
            state,
            number,
            is_sqlite,
        })
    }

    fn is_sqlite(&self, codes: &[u32]) -> bool {
        self.is_sqlite && self.number.is_some_and(|code| codes.contains(&code))
    }

    fn is_mysql(&self, numbers: &[u32]) -> bool {
        !self.is_sqlite && self.number.is_some_and(|number| numbers.contains(&number))
    }

    fn is_state(&self, states: &[&str]) -> bool {
        !self.is_sqlite && states.iter().any(|start| self.state.starts_with(start))
    }
}

/// Whether a statement that may be repeated is worth repeating, on another connection.
pub(super) fn is_transient(error: &Error) -> bool {
    match Answer::of(error) {
        Some(answer) => {
            answer.is_state(TRANSIENT_STATES)
                || answer.is_mysql(TRANSIENT_NUMBERS)
                || answer.is_sqlite(&[SQLITE_BUSY, SQLITE_LOCKED])
        }
        None => matches!(error, Error::Io(_) | Error::PoolTimedOut | Error::WorkerCrashed),
    }
}

/// Whether somebody else created the same table or index at the same moment, on `PostgreSQL`: it exists now.
pub(super) fn is_created_elsewhere(error: &Error) -> bool {
    Answer::of(error).is_some_and(|answer| answer.is_state(&["23505", "42P07", "42710", "XX000"]))
}

/// Whether a lock of another transaction was waited for in vain.
pub(super) fn is_lock_timeout(error: &Error) -> bool {
    Answer::of(error).is_some_and(|answer| {
        answer.is_state(&["55P03"])
            || answer.is_mysql(&[1205])
            || answer.is_sqlite(&[SQLITE_BUSY, SQLITE_LOCKED])
    })
}

/// Whether a savepoint does not exist, because its transaction has ended.
pub(super) fn is_ended(error: &Error) -> bool {
    Answer::of(error).is_some_and(|answer| {
        answer.is_state(&["25P01", "3B001"]) || answer.is_mysql(&[1305]) || answer.is_sqlite(&[1])
    })
}

/// Whether the database itself refused a `COMMIT`, and knows it: it did not lose the connection (SQLSTATE 08), shut down (57P) or lose
/// track of the outcome (40003).
pub(super) fn is_answer(error: &Error) -> bool {
    Answer::of(error)
        .is_some_and(|answer| !answer.is_state(&["08", "57P", "40003"]) && !answer.is_mysql(&[1053, 1927]))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::error::Error as StdError;
    use std::{fmt, io};

    use super::super::sqlx::error::{DatabaseError, ErrorKind};
    use super::*;

    /// An error of a database: its code, and its text.
    #[derive(Debug)]
    struct Refusal(&'static str, &'static str);

    impl fmt::Display for Refusal {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.1)
        }
    }

    impl StdError for Refusal {}

    impl DatabaseError for Refusal {
        fn message(&self) -> &str {
            self.1
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    fn refusal(code: &'static str, text: &'static str) -> Error {
        Error::Database(Box::new(Refusal(code, text)))
    }

    #[test]
    fn what_may_be_repeated_is_told_by_the_code_of_each_database() {
        for (code, text, transient) in [
            ("40001", "could not serialize access", true),
            ("40P01", "deadlock detected", true),
            ("55P03", "canceling statement due to lock timeout", true),
            (
                "57P01",
                "terminating connection due to administrator command",
                true,
            ),
            ("08006", "connection failure", true),
            ("53300", "too many connections", true),
            (
                "40001",
                "1213 (40001): Deadlock found when trying to get lock",
                true,
            ),
            ("HY000", "1205 (HY000): Lock wait timeout exceeded", true),
            ("HY000", "1020 (HY000): Record has changed since last read", true),
            ("70100", "1927 (70100): Connection was killed", true),
            ("5", "(code: 5) database is locked", true),
            ("517", "(code: 517) database is locked", true),
            ("6", "(code: 6) database table is locked", true),
            ("42P01", "relation does not exist", false),
            ("23505", "duplicate key value", false),
            // Its lowest byte is that of SQLITE_BUSY.
            ("22021", "invalid byte sequence", false),
            ("25P02", "current transaction is aborted", false),
            ("42S02", "1146 (42S02): Table 'x.y' doesn't exist", false),
            ("HY000", "1364 (HY000): Field has no default value", false),
            ("1", "(code: 1) no such table", false),
            ("2067", "(code: 2067) UNIQUE constraint failed", false),
        ] {
            assert_eq!(is_transient(&refusal(code, text)), transient, "{code} {text}");
        }
        assert!(is_transient(&Error::Io(io::ErrorKind::UnexpectedEof.into())));
        assert!(is_transient(&Error::PoolTimedOut));
        assert!(!is_transient(&Error::PoolClosed));
        assert!(!is_transient(&Error::RowNotFound));
    }

    #[test]
    fn only_the_database_itself_can_refuse_a_commit() {
        for (code, text, refused) in [
            ("23503", "violates foreign key constraint", true),
            ("40001", "could not serialize access", true),
            ("5", "(code: 5) database is locked", true),
            ("40003", "statement completion unknown", false),
            ("08006", "connection failure", false),
            ("57P01", "terminating connection", false),
            ("70100", "1927 (70100): Connection was killed", false),
        ] {
            assert_eq!(is_answer(&refusal(code, text)), refused, "{code} {text}");
        }
        assert!(!is_answer(&Error::Io(io::ErrorKind::ConnectionReset.into())));
    }
}
