//! The list of what is registered.

use crate::cli::args::ListArgs;
use crate::cli::console::Console;
use crate::error::BoxError;
use crate::registered::RegisteredKind;
use crate::runtime::Runtime;

pub(crate) fn run(runtime: &Runtime, args: &ListArgs, console: &mut Console) -> Result<u8, BoxError> {
    let registered = runtime.registered();
    if args.json {
        console.print(&serde_json::to_string_pretty(&registered)?)?;
        return Ok(0);
    }
    let mut rows = vec![["NAME", "KIND", "QUEUE", "TOPIC", "URL"].map(str::to_owned)];
    for task in registered {
        let kind = match task.kind {
            RegisteredKind::Task => "task",
            RegisteredKind::Periodic => "periodic",
            RegisteredKind::Publisher => "publisher",
            RegisteredKind::Subscriber => "subscriber",
        };
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        rows.push([
            task.name.to_owned(),
            kind.to_owned(),
            or_none(task.queue),
            or_none(task.topic),
            task.url,
        ]);
    }
    console.print(&table(&rows))?;
    Ok(0)
}

/// Columns as wide as their widest cell, two spaces apart.
pub(crate) fn table(rows: &[[String; 5]]) -> String {
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells = row.iter().enumerate();
            let padded: Vec<_> = cells
                .map(|(column, cell)| format!("{cell:<0$}", width(column)))
                .collect();
            padded.join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}
