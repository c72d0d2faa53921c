//! The list of rooms and floors, and the limits, as `ARCHITECTURE.md` states them.

use std::collections::BTreeMap;

/// The layout according to `ARCHITECTURE.md`.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// The floor of each room; `None` for a folder of documentation, which is not a room.
    pub(crate) rooms: BTreeMap<String, Option<u32>>,
    /// The limit of each measure, by its name.
    pub(crate) limits: Vec<(String, f64)>,
}

impl Layout {
    /// Reads the blocks ```` ```rooms ```` and ```` ```limits ```` of a Markdown document.
    pub(crate) fn parse(document: &str) -> Result<Self, String> {
        let mut layout = Self::default();
        for line in block(document, "rooms").ok_or("ARCHITECTURE.md has no block ```rooms")? {
            let mut words = line.split_whitespace();
            let (Some(floor), Some(room)) = (words.next(), words.next()) else {
                continue;
            };
            let floor = match floor {
                "floor" => continue,
                "-" => None,
                number => Some(number.parse().map_err(|_| {
                    format!("ARCHITECTURE.md: \"{line}\" does not start with a floor (a number, or - for documentation)")
                })?),
            };
            if layout.rooms.insert(room.to_owned(), floor).is_some() {
                return Err(format!("ARCHITECTURE.md lists the room \"{room}\" twice"));
            }
        }
        for line in block(document, "limits").unwrap_or_default() {
            let Some((limit, measure)) = line.trim().split_once(' ') else {
                continue;
            };
            let limit = limit
                .parse()
                .map_err(|_| format!("ARCHITECTURE.md: \"{line}\" does not start with a number"))?;
            layout.limits.push((measure.trim().to_owned(), limit));
        }
        Ok(layout)
    }
}

/// The lines of the fenced block with this info string.
fn block<'a>(document: &'a str, info: &str) -> Option<Vec<&'a str>> {
    let mut lines = document.lines();
    let fence = format!("```{info}");
    lines.find(|line| line.trim_end() == fence)?;
    Some(lines.take_while(|line| !line.starts_with("```")).collect())
}
