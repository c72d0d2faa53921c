//! Formatting of times in headers and messages.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};

/// The last second that RFC 3339 can represent.
const LAST: i64 = 253_402_207_199;
const DAY: u64 = 24 * 60 * 60;

/// Formats a time in RFC 3339 with no fraction, or with three, six or nine digits, as many as it needs. Times before 1970 or
/// after the year 9999 become the nearest valid time.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let time = known(time);
    // The bytes of times are part of idempotency keys, so the digits stay as they are.
    match time.subsec_nanosecond() {
        0 => format!("{time:.0}"),
        nanos if nanos % 1_000_000 == 0 => format!("{time:.3}"),
        nanos if nanos % 1_000 == 0 => format!("{time:.6}"),
        _ => format!("{time:.9}"),
    }
}

/// Formats a time in RFC 3339 with milliseconds.
pub(crate) fn rfc3339_millis(time: SystemTime) -> String {
    format!("{:.3}", known(time))
}

/// The nearest time that can be formatted.
fn known(time: SystemTime) -> Timestamp {
    let last = Timestamp::from_second(LAST).unwrap_or(Timestamp::MAX);
    match Timestamp::try_from(time) {
        Ok(time) => time.clamp(Timestamp::UNIX_EPOCH, last),
        Err(_) if time < SystemTime::UNIX_EPOCH => Timestamp::UNIX_EPOCH,
        Err(_) => last,
    }
}

/// A duration as people write it, such as `1day 2h 5s`.
pub(crate) fn words(duration: Duration) -> String {
    let days = duration.as_secs() / DAY;
    let rest = duration.saturating_sub(Duration::from_secs(days * DAY));
    // Less than a day always fits.
    let rest = SignedDuration::try_from(rest).unwrap_or_default();
    let days = match days {
        0 => return format!("{rest:#}"),
        1 => "1day".to_owned(),
        days => format!("{days}days"),
    };
    if rest.is_zero() {
        return days;
    }
    format!("{days} {rest:#}")
}

/// Reads a duration as people write it, such as `5m` or `2 days`.
#[cfg(feature = "cli")]
pub(crate) fn from_words(text: &str) -> Result<Duration, jiff::Error> {
    let duration = text
        .parse::<jiff::Span>()?
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())?;
    Duration::try_from(duration)
}

/// The seconds since 1970 in the format of Cloud Tasks, with microseconds; an earlier time counts as 1970.
pub(super) fn epoch_seconds(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (seconds, nanos) = (since.as_secs(), since.subsec_nanos());
    if nanos % 1000 == 0 {
        format!("{seconds}.{:06}", nanos / 1000)
    } else {
        format!("{seconds}.{nanos:09}")
    }
}

/// Parses the seconds since 1970 exactly; `None` if there is no such time.
pub(super) fn from_epoch_seconds(text: &str) -> Option<SystemTime> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let since = if is_number(seconds) && is_number(fraction) {
        // A floating-point number cannot represent the microseconds of current times.
        let nanos: String = fraction.chars().chain("000000000".chars()).take(9).collect();
        Duration::new(seconds.parse().ok()?, nanos.parse().ok()?)
    } else {
        Duration::try_from_secs_f64(text.parse().ok()?).ok()?
    };
    SystemTime::UNIX_EPOCH.checked_add(since)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any time that the system can represent.
    fn times() -> impl Strategy<Value = SystemTime> {
        (any::<bool>(), any::<u64>(), 0..1_000_000_000_u32).prop_map(|(ahead, seconds, nanos)| {
            let far = Duration::new(seconds, nanos);
            let epoch = SystemTime::UNIX_EPOCH;
            let time = if ahead {
                epoch.checked_add(far)
            } else {
                epoch.checked_sub(far)
            };
            time.unwrap_or(epoch + Duration::new(u64::MAX / 2, nanos))
        })
    }

    #[test]
    fn a_time_that_cannot_be_written_is_the_nearest_that_can() {
        let day = Duration::from_secs(86_400);
        for (time, expected) in [
            (SystemTime::UNIX_EPOCH - day, "1970-01-01T00:00:00.000Z"),
            (SystemTime::UNIX_EPOCH + day, "1970-01-02T00:00:00.000Z"),
            (
                SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 60),
                "9999-12-30T21:59:59.000Z",
            ),
        ] {
            assert_eq!(rfc3339_millis(time), expected);
        }
    }

    #[test]
    fn a_duration_is_written_and_read_as_people_do() {
        let seconds = Duration::from_secs;
        for (duration, text) in [
            (Duration::ZERO, "0s"),
            (seconds(1), "1s"),
            (seconds(2 * 3600 + 5), "2h 5s"),
            (seconds(DAY), "1day"),
            (seconds(3 * DAY + 3600), "3days 1h"),
            (Duration::from_millis(1500), "1s 500ms"),
            (Duration::MAX, "213503982334601days 7h 15s 999ms 999µs 999ns"),
        ] {
            assert_eq!(words(duration), text);
        }
        #[cfg(feature = "cli")]
        for (text, expected) in [
            ("5m", Some(seconds(300))),
            ("1h 30min", Some(seconds(5400))),
            ("2 days", Some(seconds(2 * DAY))),
            ("1week", Some(seconds(7 * DAY))),
            ("1.5h", Some(seconds(5400))),
            ("0s", Some(Duration::ZERO)),
            ("5", None),
            ("-5m", None),
            ("5m ago", None),
            ("1 month", None),
            ("", None),
        ] {
            assert_eq!(from_words(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn seconds_of_any_form_are_read_to_the_digit() {
        let at = |seconds, nanos| Some(SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos));
        for (text, expected) in [
            ("1700000000.123457", at(1_700_000_000, 123_457_000)),
            ("1700000000", at(1_700_000_000, 0)),
            ("0.1", at(0, 100_000_000)),
            ("1.1234567891", at(1, 123_456_789)),
            ("1.5e3", at(1500, 0)),
            ("-1", None),
            ("18446744073709551615", None),
            ("99999999999999999999", None),
            ("NaN", None),
            ("inf", None),
            (".", None),
            ("", None),
        ] {
            assert_eq!(from_epoch_seconds(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_time_is_written_and_read_again(time in times()) {
            for text in [rfc3339(time), rfc3339_millis(time)] {
                prop_assert!(text.parse::<Timestamp>().is_ok(), "{}", text);
            }
            // Recorded messages and idempotency keys have these bytes.
            let nearest = SystemTime::from(known(time));
            prop_assert_eq!(rfc3339(time), humantime::format_rfc3339(nearest).to_string());
            prop_assert_eq!(rfc3339_millis(time), humantime::format_rfc3339_millis(nearest).to_string());
            let whole = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            prop_assert_eq!(from_epoch_seconds(&epoch_seconds(time)), Some(SystemTime::UNIX_EPOCH + whole));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*", digits in "[0-9]{0,30}[.]?[0-9]{0,30}", duration in any::<Duration>()) {
            let _ = (from_epoch_seconds(&text), from_epoch_seconds(&digits), words(duration));
            #[cfg(feature = "cli")]
            let _ = (from_words(&text), from_words(&digits));
        }
    }
}
