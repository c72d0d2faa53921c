//! The command `list`.

use crate::base::BoxError;
use crate::cli::args::ListArgs;
use crate::cli::console::Console;
use crate::cli::table::Table;
use crate::runtime::Runtime;

pub(crate) fn run(runtime: &Runtime, args: &ListArgs, console: &mut Console) -> Result<u8, BoxError> {
    let registered = runtime.registered();
    if args.json {
        console.print_json(&registered)?;
        return Ok(0);
    }
    let mut table = Table::new(["NAME", "KIND", "QUEUE", "TOPIC", "URL"]);
    for task in registered {
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        table.push([
            task.name.to_owned(),
            task.kind.to_string(),
            or_none(task.queue),
            or_none(task.topic),
            task.url,
        ]);
    }
    console.print(&table.take())?;
    Ok(0)
}
