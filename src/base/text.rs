//! Sanitizing of text from elsewhere for responses, logs, plans, questions and tables.
//!
//! Every text of a caller, of a message or of the cloud goes through this module before it is shown.

use std::borrow::Cow;
use std::error::Error as StdError;
#[cfg(any(feature = "cli", test))]
use std::fmt::Write;

use crate::base::error::Error;

/// A text on one line, without characters that move the cursor, change colours, are invisible or change the direction
/// of writing. Each such character becomes an escape, `\u{1b}`.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    escape(text, is_unsafe, |out, char| out.extend(char.escape_unicode()))
}

/// Sanitizes a text of several lines, and keeps its line breaks.
pub(crate) fn safe_lines(text: &str) -> Cow<'_, str> {
    let steers = |char| char != '\n' && is_unsafe(char);
    escape(text, steers, |out, char| out.extend(char.escape_unicode()))
}

/// Sanitizes JSON without changing its value: unsafe characters can only be in strings, where they are escaped.
/// Whitespace between values is kept.
#[cfg(any(feature = "cli", test))]
pub(crate) fn safe_json(json: &str) -> Cow<'_, str> {
    let steers = |char: char| !char.is_ascii_whitespace() && is_unsafe(char);
    escape(json, steers, |out, char| {
        for unit in char.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

/// The sanitized beginning of a name that a caller chose, which may have any length.
pub(crate) fn excerpt(name: &str) -> Cow<'_, str> {
    const SHOWN: usize = 100;
    safe(&name[..name.floor_char_boundary(SHOWN)])
}

/// The longest text of an error in a log, a response or a record, before characters are escaped. A log entry has room for
/// 256 KB at Google, and a message for 10 MB.
const MAX_ERROR_BYTES: usize = 16 * 1024;
/// What may be added to a text that was cut: words around it, and how much was left out.
const SLACK: usize = 256;

/// A sanitized text of an error, which may have any length: its beginning, and how much is left out.
pub(crate) fn brief(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_ERROR_BYTES + SLACK {
        return safe(text);
    }
    let beginning = &text[..text.floor_char_boundary(MAX_ERROR_BYTES)];
    let left_out = text.len() - beginning.len();
    format!("{}.. ({left_out} more bytes)", safe(beginning)).into()
}

/// An error with its causes, sanitized, on one line and not too long. A cause that the text quotes already is not repeated.
pub(crate) fn error_chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        // Our own adds its causes itself, and after them what fixes it.
        let own = error.downcast_ref::<Error>();
        let said = own.map_or_else(|| error.to_string(), |own| format!("{own:#}"));
        if text.is_empty() {
            text = said;
        } else if !text.contains(&*safe(&said)) && !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = error.source().filter(|_| own.is_none());
    }
    match brief(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(brief) => brief,
    }
}

fn escape(text: &str, steers: impl Fn(char) -> bool, write: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if !text.contains(&steers) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if steers(char) {
            write(&mut safe, char);
        } else {
            safe.push(char);
        }
    }
    safe.into()
}

/// Control characters (C0, C1, DEL), line and paragraph separators, and invisible characters: bidirectional controls,
/// joiners, tags.
fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped_and_all_else_stays() {
        for (text, expected) in [
            ("naïve 日本 \u{1f600}", "naïve 日本 \u{1f600}"),
            ("a\u{1b}[2Jb\r\n\t", "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{9}"),
            ("\u{7f}\u{9b}31m\u{85}", "\\u{7f}\\u{9b}31m\\u{85}"),
            ("\u{202e}a\u{2066}b\u{200e}", "\\u{202e}a\\u{2066}b\\u{200e}"),
            (
                "\u{200b}\u{feff}\u{2028}\u{2029}",
                "\\u{200b}\\u{feff}\\u{2028}\\u{2029}",
            ),
            ("\u{e0041}", "\\u{e0041}"),
        ] {
            assert_eq!(safe(text), expected);
        }
        assert_eq!(safe_lines("a\r\n\u{1b}\n"), "a\\u{d}\n\\u{1b}\n");
    }

    #[test]
    fn a_text_of_any_length_is_cut_between_two_characters() {
        let long = "é".repeat(10 * 1024 * 1024);
        let odd = format!("a{long}");

        let (even, odd) = (brief(&long), brief(&odd));

        assert!(
            even.ends_with("é.. (20955136 more bytes)"),
            "{}",
            &even[even.len() - 40..]
        );
        assert!(
            odd.ends_with("é.. (20955138 more bytes)"),
            "{}",
            &odd[odd.len() - 40..]
        );
        assert!(even.len() < 17 * 1024 && odd.len() < 17 * 1024);
        let error = std::io::Error::other(long.clone());
        assert_eq!(error_chain(&error), even);
        let steering = "\u{1b}".repeat(1024 * 1024);
        assert!(brief(&steering).len() < 128 * 1024);
    }

    #[test]
    fn json_stays_what_it_was() {
        let json = "{\n  \"a\": \"\u{9b}31m\u{202e}\u{e0041}é\"\n}";

        let shown = safe_json(json);

        assert_eq!(shown, "{\n  \"a\": \"\\u009b31m\\u202e\\udb40\\udc41é\"\n}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&shown), read(json));
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left_and_lines_stay_lines(text in ".*", controls in proptest::collection::vec(any::<char>(), 0..20)) {
            let text = format!("{text}\n{}", controls.iter().collect::<String>());

            prop_assert!(!safe(&text).contains(is_unsafe));
            prop_assert!(!safe_lines(&text).replace('\n', "").contains(is_unsafe));
            prop_assert_eq!(safe_lines(&text).matches('\n').count(), text.matches('\n').count());
            prop_assert!(excerpt(&text).len() <= 100 * 10);
            prop_assert_eq!(brief(&text), safe(&text));
        }
    }
}
