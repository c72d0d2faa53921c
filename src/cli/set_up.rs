//! The set-up commands: plan, show, ask, apply.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::admin::setup::{Plan, SetUpError, SetUpReport, Setup};
use crate::base::BoxError;
use crate::base::text::safe;
use crate::cli::args::SetUpArgs;
use crate::cli::console::Console;

/// The number of changes from which on a progress bar is shown.
const MANY: usize = 10;

pub(crate) async fn run(mut setup: Setup, args: &SetUpArgs, console: &mut Console) -> Result<u8, BoxError> {
    if args.prune {
        setup = setup.prune();
    }
    if args.allow_data_loss {
        setup = setup.allow_data_loss();
    }
    if args.skip_iam {
        setup = setup.skip_iam();
    }
    if let Some(number) = args.project_number {
        setup = setup.project_number(number);
    }
    let plan = setup.plan().await?;
    if args.plan {
        if args.json {
            console.print_json(&plan.to_json())?;
        } else {
            console.print(&plan.to_string())?;
        }
        return Ok(if args.exit_code && !plan.is_empty() { 2 } else { 0 });
    }
    let changes = plan.changes().count();
    if !args.yes && changes > 0 {
        console.error(&plan.to_string())?;
        match console.confirm("Do it?")? {
            Some(true) => {}
            Some(false) => {
                console.error("Nothing was changed.")?;
                return Ok(1);
            }
            None => {
                return Err(
                    "nothing was changed, and nobody can confirm: pass --yes, or --plan to see the changes"
                        .into(),
                );
            }
        }
    } else {
        remarks(&plan, console)?;
    }
    let said = plan.notes().len();
    let bar = (console.shows_progress() && changes >= MANY).then(|| bar(&plan));
    let applied = plan
        .apply_with(|change| {
            if let Some(bar) = &bar {
                bar.set_message(format!("{} {}", change.kind, safe(&change.name)));
                bar.inc(1);
            }
        })
        .await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    report(applied, said, args, console)
}

/// The changes that are held back, the warnings and the notes of a plan.
fn remarks(plan: &Plan, console: &mut Console) -> Result<(), BoxError> {
    for left in plan.held_back() {
        console.error(&format!("left as it is, {}:\n{}", left.reason, left.change))?;
    }
    for warning in plan.warnings() {
        console.error(&format!("warning: {}", safe(warning)))?;
    }
    for note in plan.notes() {
        console.error(&format!("note: {}", safe(note)))?;
    }
    Ok(())
}

fn report(
    applied: Result<SetUpReport, SetUpError>,
    said: usize,
    args: &SetUpArgs,
    console: &mut Console,
) -> Result<u8, BoxError> {
    let (report, error) = match &applied {
        Ok(report) => (report, None),
        Err(error) => (error.report(), Some(error)),
    };
    if args.json {
        let mut json = serde_json::to_value(report)?;
        if let Some(error) = error {
            let failed = error
                .failed()
                .iter()
                .map(|failure| json!({"change": failure.change, "error": format!("{:#}", failure.error)}));
            json["failed"] = failed.collect();
            json["not_tried"] = serde_json::to_value(error.not_tried())?;
        }
        console.print_json(&json)?;
        return Ok(u8::from(error.is_some()));
    }
    // The notes of the plan were printed before.
    for note in report.notes.iter().skip(said) {
        console.error(&format!("note: {}", safe(note)))?;
    }
    match applied {
        Ok(report) => {
            console.print(&report.to_string())?;
            Ok(0)
        }
        Err(error) => Err(error.into()),
    }
}

fn bar(plan: &Plan) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    let bar = ProgressBar::new(plan.changes().count() as u64);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
