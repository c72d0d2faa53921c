//! The `schema` commands.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::admin::schema::Contracts;
use crate::base::BoxError;
use crate::base::text::safe;
use crate::cli::console::Console;
use crate::runtime::Runtime;

/// The commands for the schemas of tasks and events.
#[derive(Clone, Debug, Subcommand)]
#[non_exhaustive]
pub enum SchemaCommand {
    /// Print the JSON Schemas of every task and event, for a file in the repository
    Export,
    #[expect(clippy::doc_markdown, reason = "this is the text of the command's help")]
    /// Print an AsyncAPI 3 document
    Asyncapi(AsyncapiArgs),
    /// Compare a file of `export` with this program, and fail if queued tasks or older messages would not decode
    Check(SchemaCheckArgs),
}

/// The options of `schema asyncapi`.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct AsyncapiArgs {
    /// The title [default: the application's name]
    #[arg(long)]
    pub title: Option<String>,
    /// The version of the document
    #[arg(long, default_value = "1.0.0", value_name = "VERSION")]
    pub api_version: String,
}

/// The options of `schema check`.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct SchemaCheckArgs {
    /// The file that an earlier program has exported
    pub file: PathBuf,
}

pub(crate) fn run(runtime: &Runtime, command: SchemaCommand, console: &mut Console) -> Result<u8, BoxError> {
    match command {
        SchemaCommand::Export => {
            let contracts = runtime.contracts();
            let without = contracts.without_schema().join(", ");
            if !without.is_empty() {
                console.error(&format!(
                    "without a schema, since the type does not derive `JsonSchema`: {without}"
                ))?;
            }
            console.print_json(&contracts)?;
            Ok(0)
        }
        SchemaCommand::Asyncapi(args) => {
            let title = args.title.as_deref().or(runtime.config().app_name());
            let document = runtime
                .contracts()
                .asyncapi(title.unwrap_or("tasks and events"), &args.api_version);
            console.print_json(&document)?;
            Ok(0)
        }
        SchemaCommand::Check(args) => check(runtime, &args, console),
    }
}

fn check(runtime: &Runtime, args: &SchemaCheckArgs, console: &mut Console) -> Result<u8, BoxError> {
    let file = args.file.display().to_string();
    let json = std::fs::read(&args.file).map_err(|error| format!("{file} cannot be read: {error}"))?;
    let older = Contracts::from_json(&json)
        .map_err(|error| format!("{file} is not a file of `schema export`: {error}"))?;
    let changes = older.changes_to(&runtime.contracts());
    let broken = changes.iter().filter(|(_, change)| change.breaks()).count();
    for (name, change) in &changes {
        let mark = if change.breaks() { "BREAKS" } else { "ok" };
        let place = [name.as_str(), change.path()]
            .into_iter()
            .filter(|part| !part.is_empty());
        let place = place.collect::<Vec<_>>().join(".");
        console.print(&format!("{mark:<6}  {}: {}", safe(&place), safe(change.text())))?;
    }
    console.print(&match (changes.len(), broken) {
        (0, _) => "Nothing changed.".to_owned(),
        (_, 0) => "Queued tasks and older messages still decode.".to_owned(),
        (_, broken) => format!(
            "Queued tasks or older messages would not decode ({broken} of {} changes). If that is meant, export the file again.",
            changes.len()
        ),
    })?;
    Ok(u8::from(broken > 0))
}
