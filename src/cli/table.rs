//! Tables.

use crate::base::text::safe;

/// The maximum number of characters of a cell, as many as a URL of Cloud Tasks has. A forged record may have megabytes.
const MAX_CELL: usize = 2083;

/// A table whose columns are as wide as their widest cell, separated by two spaces.
///
/// A long table is printed in blocks; a column keeps its width.
pub(crate) struct Table<const N: usize> {
    widths: [usize; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with this header.
    pub fn new(head: [&str; N]) -> Self {
        let mut table = Self {
            widths: [0; N],
            rows: Vec::new(),
        };
        table.push(head.map(str::to_owned));
        table
    }

    /// Adds a row, and sanitizes its cells.
    pub fn push(&mut self, row: [String; N]) {
        let row = row.map(|cell| shortened(&safe(&cell)));
        for (width, cell) in self.widths.iter_mut().zip(&row) {
            *width = (*width).max(cell.chars().count());
        }
        self.rows.push(row);
    }

    /// The number of rows that are not yet printed.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows that are not yet printed, as text.
    pub fn take(&mut self) -> String {
        let lines = std::mem::take(&mut self.rows).into_iter().map(|row| {
            let cells = row.iter().zip(self.widths);
            let padded: Vec<_> = cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
            padded.join("  ").trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// The beginning of a cell that is too long.
fn shortened(cell: &str) -> String {
    match cell.char_indices().nth(MAX_CELL) {
        Some((end, _)) => format!("{}…", &cell[..end]),
        None => cell.to_owned(),
    }
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
}
