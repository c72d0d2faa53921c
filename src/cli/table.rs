//! Tables, and text that came from elsewhere.

/// Rows of so many cells, in columns as wide as their widest cell and two spaces apart.
///
/// A long table is printed in blocks: a column keeps the width that it had.
pub(crate) struct Table<const N: usize> {
    widths: [usize; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with these words on top.
    pub(crate) fn new(head: [&str; N]) -> Self {
        let mut table = Self {
            widths: [0; N],
            rows: Vec::new(),
        };
        table.push(head.map(str::to_owned));
        table
    }

    pub(crate) fn push(&mut self, row: [String; N]) {
        for (width, cell) in self.widths.iter_mut().zip(&row) {
            *width = (*width).max(cell.chars().count());
        }
        self.rows.push(row);
    }

    /// How many rows were not taken yet.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows that were not taken yet, as text.
    pub(crate) fn take(&mut self) -> String {
        let lines = std::mem::take(&mut self.rows).into_iter().map(|row| {
            let cells = row.iter().zip(self.widths);
            let padded: Vec<_> = cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
            padded.join("  ").trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// A text without anything that moves a cursor, changes colours or turns the direction of writing: others chose it.
pub(crate) fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        if steers(char) {
            safe.extend(char.escape_unicode());
        } else {
            safe.push(char);
        }
    }
    safe
}

/// The same of JSON, which stays JSON: what steers can only be in a string there, where it has an escape.
pub(crate) fn safe_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for char in json.chars() {
        if steers(char) && !char.is_ascii_whitespace() {
            safe.extend(format!("\\u{:04x}", u32::from(char)).chars());
        } else {
            safe.push(char);
        }
    }
    safe
}

/// The same on one line: line breaks in JSON are between its values.
pub(crate) fn json_line(json: &str) -> String {
    safe_json(json).replace(['\n', '\r'], " ")
}

fn steers(char: char) -> bool {
    let turns = matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || char.is_control()
}

/// The same of a text of several lines.
pub(crate) fn safe_lines(text: &str) -> String {
    text.lines().map(safe).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_stay_so_in_the_next_block() {
        let mut table = Table::new(["NAME", "N"]);
        table.push(["a long one".into(), "1".into()]);

        let first = table.take();
        table.push(["b".into(), "2".into()]);

        assert_eq!(first, "NAME        N\na long one  1");
        assert_eq!((table.len(), table.take()), (1, "b           2".to_owned()));
    }

    #[test]
    fn text_of_others_cannot_steer_a_terminal() {
        assert_eq!(
            safe("a\u{1b}[2Jb\r\n\u{9b}31m\u{202e}c é"),
            "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{9b}31m\\u{202e}c é"
        );
        assert_eq!(safe_lines("a\n\u{7f}\n"), "a\n\\u{7f}");
    }

    #[test]
    fn json_of_others_stays_what_it_was_and_steers_no_terminal() {
        let json = "{\n  \"a\": \"\u{9b}31m\u{202e}é\"\n}";

        let (several, one) = (safe_json(json), json_line(json));

        assert_eq!(several, "{\n  \"a\": \"\\u009b31m\\u202eé\"\n}");
        assert_eq!(one, several.replace('\n', " "));
        let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!((same(&several), same(&one)), (same(json), same(json)));
    }
}
