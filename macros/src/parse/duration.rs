//! Durations in options.

use std::time::Duration;

use cloud_tasks_rules::limits::{self, Lengths};

/// The durations that an option accepts.
pub(super) struct Limits {
    lengths: Lengths,
    /// Example values for messages.
    examples: &'static str,
    /// The likely units of a number without a unit.
    units: [&'static str; 2],
}

pub(super) const DISPATCH_DEADLINE: Limits =
    Limits::new(limits::DISPATCH_DEADLINE, "\"15m\" or \"1m 30s\"", ["s", "m"]);
pub(super) const BACKOFF: Limits = Limits::new(limits::BACKOFF, "\"5s\" or \"1m 30s\"", ["s", "m"]);
pub(super) const SCHEDULE_BACKOFF: Limits =
    Limits::new(limits::SCHEDULE_BACKOFF, "\"10s\" or \"1m 30s\"", ["s", "m"]);
pub(super) const ATTEMPT_DEADLINE: Limits =
    Limits::new(limits::ATTEMPT_DEADLINE, "\"15m\" or \"1m 30s\"", ["s", "m"]);
pub(super) const EXPIRATION: Limits = Limits::new(limits::EXPIRATION, "\"31d\" or \"never\"", ["d", "h"]);
pub(super) const ACK_DEADLINE: Limits = Limits::new(limits::ACK_DEADLINE, "\"30s\" or \"2m\"", ["s", "m"]);
pub(super) const RETENTION: Limits = Limits::new(limits::RETENTION, "\"12h\" or \"7d\"", ["h", "d"]);
pub(super) const WINDOW: Limits = Limits::new(limits::WINDOW, "\"5m\" or \"1h 30m\"", ["s", "m"]);

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 24 * 60 * MINUTE;

/// From the largest to the smallest, in the order in which they are written.
const UNITS: [(&str, u64); 5] = [
    ("d", DAY),
    ("h", 60 * MINUTE),
    ("m", MINUTE),
    ("s", SECOND),
    ("ms", 1),
];

impl Limits {
    const fn new(lengths: Lengths, examples: &'static str, units: [&'static str; 2]) -> Self {
        Self {
            lengths,
            examples,
            units,
        }
    }

    /// Suggestions for a number without a unit; `quote` formats a number with its unit.
    pub(super) fn with_unit(&self, digits: &str, quote: impl Fn(&str) -> String) -> String {
        let [one, other] = self.units.map(|unit| quote(&format!("\"{digits}{unit}\"")));
        format!("write {one} or {other}")
    }

    /// Parses a text such as `15m` or `1m 30s` to milliseconds.
    pub(super) fn read(&self, text: &str) -> Result<u64, String> {
        let trimmed = text.trim();
        if !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!(
                "the time {text:?} has no unit: {}",
                self.with_unit(trimmed, str::to_owned)
            ));
        }
        let Some(millis) = millis(trimmed) else {
            return Err(format!(
                "the time {text:?} is not accepted: write whole numbers with the units d, h, m, s and ms, in this \
                 order, as in {}",
                self.examples
            ));
        };
        if !self.lengths.contain(Duration::from_millis(millis)) {
            return Err(format!(
                "the time {text:?} is not accepted: {}, as in {}",
                self.lengths.words, self.examples
            ));
        }
        Ok(millis)
    }
}

fn millis(mut rest: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut units = UNITS.iter();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (digits, behind) = rest.split_at(rest.find(|character: char| !character.is_ascii_digit())?);
        let number: u64 = digits.parse().ok()?;
        let letters = behind
            .find(|character: char| !character.is_ascii_alphabetic())
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(letters);
        // Each unit at most once and in this order: `find` continues where it stopped.
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.checked_mul(*factor)?)?;
        rest = behind.trim_start();
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_with_their_units() {
        for (text, expected) in [
            ("15m", 900_000),
            ("15s", 15_000),
            ("30m", 1_800_000),
            ("15000ms", 15_000),
            ("1m30s", 90_000),
            ("1m 30s", 90_000),
            (" 1m  30s 5ms ", 90_005),
            ("0h 20m", 1_200_000),
            ("0d 20m", 1_200_000),
        ] {
            assert_eq!(DISPATCH_DEADLINE.read(text), Ok(expected), "{text}");
        }
        assert_eq!(millis("1h30m"), Some(5_400_000));
        assert_eq!(millis("1d 1h"), Some(90_000_000));
    }

    #[test]
    fn what_is_no_length_of_time_is_refused_with_the_accepted_form() {
        for text in [
            "",
            " ",
            "m",
            "15 m",
            "15min",
            "1.5m",
            "-15m",
            "+15m",
            "30s1m",
            "1m1m",
            "15m,",
            "fifteen",
            "15µs",
            "99999999999999999999h",
            "9999999999999999999m",
            "15m 20",
        ] {
            let refused = DISPATCH_DEADLINE.read(text);
            assert!(
                refused
                    .as_ref()
                    .is_err_and(|message| message.contains(text) && message.contains("\"15m\"")),
                "{text}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_number_without_a_unit_is_answered_with_the_units_it_may_mean() {
        for (limits, intended) in [
            (DISPATCH_DEADLINE, "\"20s\" or \"20m\""),
            (EXPIRATION, "\"20d\" or \"20h\""),
            (RETENTION, "\"20h\" or \"20d\""),
        ] {
            assert_eq!(
                limits.read("20"),
                Err(format!("the time \"20\" has no unit: write {intended}"))
            );
        }
    }

    #[test]
    fn each_option_has_the_limits_of_its_service() {
        for (limits, accepted, refused) in [
            (
                DISPATCH_DEADLINE,
                ["15s", "30m"],
                ["14999ms", "1s", "0s", "30m1ms", "1h", "1h30m"].as_slice(),
            ),
            (SCHEDULE_BACKOFF, ["5s", "1h"], &["4999ms", "0s", "1h 1ms"]),
            (ATTEMPT_DEADLINE, ["15s", "30m"], &["14s", "31m"]),
            (BACKOFF, ["0s", "600s"], &["600001ms", "11m", "1d"]),
            (EXPIRATION, ["1d", "365d"], &["0s", "23h", "86399s", "3652501d"]),
            (
                ACK_DEADLINE,
                ["10s", "10m"],
                &["9s", "9999ms", "10500ms", "601s", "0s"],
            ),
            (RETENTION, ["10m", "31d"], &["599s", "0s", "31d 1ms", "32d"]),
        ] {
            for text in accepted {
                assert!(limits.read(text).is_ok(), "{text}");
            }
            for text in refused {
                assert_eq!(
                    limits.read(text),
                    Err(format!(
                        "the time {text:?} is not accepted: {}, as in {}",
                        limits.lengths.words, limits.examples
                    ))
                );
            }
        }
    }
}
