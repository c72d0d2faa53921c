//! Texts of strangers times the places where they are shown: no place shows a character that steers a terminal or a log, and
//! none shows a value that an argument or an attribute had.

mod cloud;
mod errors;
mod last;
mod service;

use crate::support::logs::Logs;

/// In every text, so that a value is found wherever it is shown.
const SECRET: &str = "hunter2";

/// What strangers write into names, values and errors.
fn texts() -> Vec<String> {
    let ends = [
        "\nERROR forged line",
        "\r\n[-] queue Production",
        "\u{1b}[2J\u{1b}]0;title\u{7}\u{1b}[31m",
        "\u{9b}31m\u{85}\u{90}q\u{9c}",
        "\u{202e}txt.exe\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}",
        "\u{2028}[+] topic orders\u{2029}",
        "\u{200b}\u{feff}\u{2060}\u{ad}\u{e0041}\u{fff9}",
        "\0\u{8}\u{7f}\t\u{b}\u{c}",
        "שלום \u{202b}مرحبا",
        "\"quoted\" 'and' \\u001b[2J %1B %s {} {0} <b>",
        ", expected hunter2",
    ];
    let long = format!("{}\n{}", "x".repeat(2_500), "\u{1b}".repeat(2_500));
    let ends = ends.into_iter().map(str::to_owned).chain([long]);
    ends.map(|end| format!("{SECRET}{end}")).collect()
}

/// The same in two texts, for places that take longer: all short ones in one, and the long one.
fn combined() -> [String; 2] {
    let mut all = texts();
    let long = all.pop().unwrap();
    [all.concat(), long]
}

/// Whether a character moves the cursor, is invisible or changes the direction of what follows.
fn steers(char: char) -> bool {
    if (' '..='~').contains(&char) {
        return false;
    }
    char.is_control()
        || "\u{ad}\u{61c}\u{180e}\u{feff}".contains(char)
        || ('\u{200b}'..='\u{200f}').contains(&char)
        || ('\u{2028}'..='\u{202e}').contains(&char)
        || ('\u{2060}'..='\u{206f}').contains(&char)
        || ('\u{fff9}'..='\u{fffb}').contains(&char)
        || ('\u{e0000}'..='\u{e007f}').contains(&char)
}

/// Where a text was shown.
struct Shown {
    place: &'static str,
    text: String,
    /// Whether its lines are ours.
    lines: bool,
}

impl Shown {
    fn line(place: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            place,
            text,
            lines: false,
        }
    }

    fn lines(place: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            place,
            text,
            lines: true,
        }
    }

    fn assert_safe(&self, of: &str) {
        let bad = self
            .text
            .chars()
            .find(|char| steers(*char) && !(self.lines && *char == '\n'));
        let excerpt: String = self.text.chars().take(2000).collect();
        assert_eq!(bad, None, "{} shows {of:.100?}: {excerpt:?}", self.place);
        for forged in ["ERROR forged", "[-] queue Production", "[+] topic orders"] {
            let is_line = self.text.lines().any(|line| line.starts_with(forged));
            assert!(!is_line, "{} has a line of a stranger: {excerpt:?}", self.place);
        }
    }

    fn assert_no_secret(&self, of: &str) {
        let excerpt: String = self.text.chars().take(2000).collect();
        assert!(
            !self.text.contains(SECRET),
            "{} shows the value {of:.100?}: {excerpt:?}",
            self.place
        );
    }
}

/// Everything that was logged, with every text as a subscriber gets it.
fn logged(logs: &Logs) -> Vec<Shown> {
    let lines = logs.raw_lines().into_iter();
    lines.map(|line| Shown::line("the log", line)).collect()
}
