//! What can be said about a literal before anything runs. Constants are checked by `build()`, with the same limits.

/// How a task may be called: it becomes a path segment of its own.
pub(super) fn task_name(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if (1..=255).contains(&name.len()) && name.bytes().all(allowed) && name != "." && name != ".." {
        return Ok(());
    }
    Err(format!(
        "the task name {name:?} is not accepted: 1 to 255 letters, digits, `_`, `-` and `.`, and not `.` or `..`"
    ))
}

/// How Cloud Tasks lets a queue be called.
pub(super) fn queue_name(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=100).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!(
        "the queue {name:?} is not accepted: 1 to 100 letters, digits and `-`"
    ))
}

/// The lengths of time that an option takes.
pub(super) struct Limits {
    pub(super) least: u64,
    pub(super) most: u64,
    /// The same, in words.
    pub(super) words: &'static str,
}

/// The dispatch deadline that Cloud Tasks takes for an HTTP target.
pub(super) const DISPATCH_DEADLINE: Limits = Limits {
    least: 15 * SECOND,
    most: 30 * MINUTE,
    words: "Cloud Tasks takes 15 seconds to 30 minutes",
};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

/// From the greatest to the smallest, the order in which they are written.
const UNITS: [(&str, u64); 4] = [("h", 60 * MINUTE), ("m", MINUTE), ("s", SECOND), ("ms", 1)];

/// The milliseconds that a text such as `15m` or `1m 30s` stands for.
pub(super) fn duration(text: &str, limits: &Limits) -> Result<u64, String> {
    let trimmed = text.trim();
    if !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "the time {text:?} has no unit: write \"{trimmed}s\" or \"{trimmed}m\""
        ));
    }
    let Some(millis) = millis(trimmed) else {
        return Err(format!(
            "the time {text:?} is not accepted: write whole numbers with the units h, m, s and ms, in this order, as in \
             \"15m\" or \"1m 30s\""
        ));
    };
    if !(limits.least..=limits.most).contains(&millis) {
        return Err(format!(
            "the time {text:?} is not accepted: {}, as in \"15m\" or \"1m 30s\"",
            limits.words
        ));
    }
    Ok(millis)
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
        // Each unit at most once and in this order: `find` goes on where it stopped.
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
    fn task_names_are_path_segments_of_plain_characters() {
        for name in [
            "SendWelcomeEmail",
            "a",
            "sales.Order-2_x",
            "...",
            &"x".repeat(255),
        ] {
            assert_eq!(task_name(name), Ok(()), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "a b",
            "a%20b",
            "Überweisung",
            &"x".repeat(256),
        ] {
            assert!(task_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn queue_names_are_those_of_cloud_tasks() {
        for name in ["emails", "slow-2", "A", &"q".repeat(100)] {
            assert_eq!(queue_name(name), Ok(()), "{name}");
        }
        for name in ["", "my_queue", "a.b", "a/b", "é", &"q".repeat(101)] {
            assert!(queue_name(name).is_err(), "{name}");
        }
    }

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
        ] {
            assert_eq!(duration(text, &DISPATCH_DEADLINE), Ok(expected), "{text}");
        }
        assert_eq!(millis("1h30m"), Some(5_400_000));
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
            let refused = duration(text, &DISPATCH_DEADLINE);
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
        assert_eq!(
            duration("20", &DISPATCH_DEADLINE),
            Err("the time \"20\" has no unit: write \"20s\" or \"20m\"".to_owned())
        );
    }

    #[test]
    fn a_timeout_is_within_the_dispatch_deadline_of_cloud_tasks() {
        for text in ["14999ms", "1s", "0s", "30m1ms", "1h", "1h30m"] {
            let refused = duration(text, &DISPATCH_DEADLINE);
            assert!(
                refused
                    .as_ref()
                    .is_err_and(|message| message.contains("15 seconds to 30 minutes")),
                "{text}: {refused:?}"
            );
        }
    }
}
