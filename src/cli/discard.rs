//! Deleting many tasks: look, count, ask, do.

use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use crate::admin::queue::Queue;
use crate::admin::queue::discard::DeleteTasks;
use crate::admin::queue::report::DeleteReport;
use crate::base::BoxError;
use crate::base::text::safe;
use crate::cli::console::Console;
use crate::cli::operations_args::TasksDiscardArgs;
use crate::cli::tasks::{agreed, name, queue};
use crate::runtime::Runtime;

/// So many tasks of a dry run are listed.
const LISTED: usize = 1000;

pub(crate) async fn run(
    runtime: &Runtime,
    args: TasksDiscardArgs,
    console: &mut Console,
) -> Result<u8, BoxError> {
    let queue = queue(runtime, args.queue.clone(), args.task.as_deref());
    if args.dry_run {
        return look(&queue, &args, console).await;
    }
    let mut expected = None;
    if !args.yes {
        let look = tasks(&queue, &args).dry_run().await?;
        if look.discarded == 0 {
            report(&look, &args, console)?;
            return Ok(0);
        }
        if !agreed(
            console,
            &question(&look, &args),
            "discarded",
            "say --yes, or --dry-run to look",
        )? {
            return Ok(1);
        }
        expected = Some(look.discarded);
    }
    let bar = console.shows_progress().then(|| bar(expected));
    let mut discard = tasks(&queue, &args);
    if let Some(bar) = bar.clone() {
        discard = discard.on_progress(move |report| {
            bar.set_position(report.discarded + report.gone + report.failed);
            bar.set_message(format!("{} looked at", report.scanned));
        });
    }
    let done = discard.await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let done = done?;
    report(&done, &args, console)?;
    Ok(u8::from(done.failed > 0))
}

fn tasks(queue: &Queue, args: &TasksDiscardArgs) -> DeleteTasks {
    let discard = queue
        .discard()
        .at_least_attempts(args.min_attempts)
        .concurrency(args.concurrency);
    match &args.task {
        Some(name) => discard.task(name),
        None => discard,
    }
}

/// Lists what would be deleted, the first thousand of it.
async fn look(queue: &Queue, args: &TasksDiscardArgs, console: &mut Console) -> Result<u8, BoxError> {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&lines);
    let look = tasks(queue, args).dry_run().on_task(move |task| {
        let mut lines = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < LISTED {
            let attempts = task.attempts();
            let (id, name) = (safe(task.id()), name(task));
            lines.push(format!("[-] {id} {} after {attempts} attempts", safe(&name)));
        }
    });
    let look = look.await?;
    let lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
    if !args.json && !lines.is_empty() {
        console.print(&lines.join("\n"))?;
        let more = look.discarded - lines.len() as u64;
        if more > 0 {
            console.print(&format!("and {more} more"))?;
        }
    }
    report(&look, args, console)?;
    Ok(0)
}

fn question(look: &DeleteReport, args: &TasksDiscardArgs) -> String {
    let whose = match &args.task {
        Some(name) => safe(name).into_owned(),
        None => "whichever service's".to_owned(),
    };
    format!(
        "Discard {} of {} tasks in queue {} ({whose})?",
        look.discarded,
        look.scanned,
        safe(&look.queue)
    )
}

fn report(report: &DeleteReport, args: &TasksDiscardArgs, console: &mut Console) -> Result<(), BoxError> {
    if args.json {
        console.print_json(report)?;
    } else {
        console.print(&report.to_string())?;
    }
    Ok(())
}

/// A bar where it is known how many there are, else a count.
fn bar(tasks: Option<u64>) -> ProgressBar {
    let (bar, template) = match tasks {
        Some(tasks) => (ProgressBar::new(tasks), "{bar:30} {pos}/{len} {msg}"),
        None => (ProgressBar::new_spinner(), "{spinner} {pos} {msg}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
