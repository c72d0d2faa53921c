//! The command that deletes many tasks: list, count, ask, delete.

use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use crate::admin::queue::Queue;
use crate::admin::queue::delete::DeleteTasks;
use crate::admin::queue::report::DeleteReport;
use crate::base::BoxError;
use crate::base::text::safe;
use crate::cli::console::Console;
use crate::cli::operations_args::TasksDeleteArgs;
use crate::cli::tasks::{agreed, name, queue};
use crate::runtime::Runtime;

/// The maximum number of tasks that a dry run lists.
const LISTED: usize = 1000;

pub(crate) async fn run(
    runtime: &Runtime,
    args: TasksDeleteArgs,
    console: &mut Console,
) -> Result<u8, BoxError> {
    let queue = queue(runtime, args.queue.clone(), args.task.as_deref());
    if args.dry_run {
        return look(&queue, &args, console).await;
    }
    let mut expected = None;
    if !args.yes {
        let look = tasks(&queue, &args).dry_run().await?;
        if look.deleted == 0 {
            report(&look, &args, console)?;
            return Ok(0);
        }
        if !agreed(
            console,
            &question(&look, &args),
            "deleted",
            "pass --yes, or --dry-run to list them",
        )? {
            return Ok(1);
        }
        expected = Some(look.deleted);
    }
    let bar = console.shows_progress().then(|| bar(expected));
    let mut delete = tasks(&queue, &args);
    if let Some(bar) = bar.clone() {
        delete = delete.on_progress(move |report| {
            bar.set_position(report.deleted + report.gone + report.failed);
            bar.set_message(format!("{} looked at", report.scanned));
        });
    }
    let done = delete.await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let done = done?;
    report(&done, &args, console)?;
    Ok(u8::from(done.failed > 0))
}

fn tasks(queue: &Queue, args: &TasksDeleteArgs) -> DeleteTasks {
    let delete = queue
        .delete_tasks()
        .at_least_attempts(args.min_attempts)
        .concurrency(args.concurrency);
    match &args.task {
        Some(name) => delete.task(name),
        None => delete,
    }
}

/// Lists the first thousand tasks that would be deleted.
async fn look(queue: &Queue, args: &TasksDeleteArgs, console: &mut Console) -> Result<u8, BoxError> {
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
        let more = look.deleted - lines.len() as u64;
        if more > 0 {
            console.print(&format!("and {more} more"))?;
        }
    }
    report(&look, args, console)?;
    Ok(0)
}

fn question(look: &DeleteReport, args: &TasksDeleteArgs) -> String {
    let whose = match &args.task {
        Some(name) => safe(name).into_owned(),
        None => "of all services".to_owned(),
    };
    format!(
        "Delete {} of {} tasks in queue {} ({whose})?",
        look.deleted,
        look.scanned,
        safe(&look.queue)
    )
}

fn report(report: &DeleteReport, args: &TasksDeleteArgs, console: &mut Console) -> Result<(), BoxError> {
    if args.json {
        console.print_json(report)?;
    } else {
        console.print(&report.to_string())?;
    }
    Ok(())
}

/// A progress bar if the number of tasks is known, otherwise a counter.
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
