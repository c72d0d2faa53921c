//! The commands `dead list` and `dead replay`.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::admin::dead_letters::{DeadTasks, ReplayEnd, Replayed, UnreplayedTask};
use crate::base::text::{excerpt, safe};
use crate::base::{BoxError, DeadTask, Error};
use crate::cli::args::{DeadArgs, DeadCommand, DeadListArgs, DeadReplayArgs};
use crate::cli::console::Console;
use crate::cli::interrupt::interrupted;
use crate::cli::table::Table;
use crate::runtime::Runtime;

/// The maximum numbers of tasks that are counted, and of names that are shown, before the question.
const MOST_COUNTED: usize = 1000;
const MOST_NAMES: usize = 10;

pub(crate) async fn run(
    runtime: &Runtime,
    command: &DeadCommand,
    console: &mut Console,
) -> Result<u8, BoxError> {
    match command {
        DeadCommand::List(args) => list(runtime, args, console).await,
        DeadCommand::Replay(args) => replay(runtime, args, console).await,
    }
}

/// The given topic, or the only one that the runtime knows.
fn topic(runtime: &Runtime, args: &DeadArgs) -> Result<(DeadTasks, String), BoxError> {
    if let Some(topic) = &args.topic {
        return Ok((runtime.dead_tasks(topic.clone()), topic.clone()));
    }
    match runtime.dead_letters() {
        [only] => Ok((DeadTasks::of(runtime, only), only.topic.clone())),
        [] => Err("no task of this service has a `dead_letter_topic`: choose a topic with --topic".into()),
        several => {
            let names: Vec<_> = several.iter().map(|letters| letters.topic.as_str()).collect();
            Err(format!(
                "this service has several topics of dead tasks: choose one with --topic, by its base name or its full path: {}",
                names.join(", ")
            )
            .into())
        }
    }
}

async fn list(runtime: &Runtime, args: &DeadListArgs, console: &mut Console) -> Result<u8, BoxError> {
    let (dead, topic) = topic(runtime, &args.of)?;
    let mut look = dead
        .list()
        .limit(args.limit)
        .idle_timeout(Duration::from_secs(args.of.idle_timeout));
    if let Some(task) = &args.of.task {
        look = look.task(task);
    }
    let found = look.await?;
    if args.json {
        console.print_json(&found)?;
        return Ok(0);
    }
    if found.tasks.is_empty() {
        console.print(&format!("No dead tasks in {}", safe(&topic)))?;
    } else {
        let mut table = Table::new(["DIED", "TASK", "QUEUE", "ATTEMPTS", "ERROR"]);
        for task in &found.tasks {
            table.push(row(task));
        }
        console.print(&table.take())?;
    }
    stays(&found.unreadable, console)?;
    Ok(0)
}

fn row(task: &DeadTask) -> [String; 5] {
    [
        task.died_at.clone(),
        task.task().to_owned(),
        task.queue().unwrap_or("-").to_owned(),
        task.attempts().to_string(),
        task.error().to_owned(),
    ]
}

async fn replay(runtime: &Runtime, args: &DeadReplayArgs, console: &mut Console) -> Result<u8, BoxError> {
    let (dead, topic) = topic(runtime, &args.of)?;
    if !args.yes {
        let which = match (args.limit, &args.of.task) {
            (Some(limit), Some(task)) => format!("at most {limit} dead tasks {task}"),
            (Some(limit), None) => format!("at most {limit} dead tasks"),
            (None, Some(task)) => format!("all dead tasks {task}"),
            (None, None) => "all dead tasks".to_owned(),
        };
        let found = found(&dead, args).await?;
        match console.confirm(&format!(
            "Enqueue {} of {} again ({found})?",
            safe(&which),
            safe(&topic)
        ))? {
            Some(true) => {}
            Some(false) => {
                console.error("Nothing was enqueued.")?;
                return Ok(1);
            }
            None => {
                return Err(
                    "nothing was enqueued, and nobody can confirm: pass --yes, or run `dead list` first"
                        .into(),
                );
            }
        }
    }
    let mut replay = dead
        .replay()
        .idle_timeout(Duration::from_secs(args.of.idle_timeout));
    if let Some(task) = &args.of.task {
        replay = replay.task(task);
    }
    if let Some(limit) = args.limit {
        replay = replay.limit(limit);
    }
    if let Some(queue) = &args.to_queue {
        replay = replay.to_queue(queue);
    }
    let bar = console.shows_progress().then(indicatif::ProgressBar::new_spinner);
    let shown = bar.clone();
    let replayed = replay
        .stop_when(interrupted())
        .on_progress(move |report| {
            if let Some(bar) = &shown {
                bar.set_message(report.to_string());
                bar.tick();
            }
        })
        .into_future();
    // The first Ctrl-C stops the replay, and the second one the waiting for its end.
    let impatient = pin!(async {
        interrupted().await;
        interrupted().await;
    });
    let ended = select(replayed, impatient).await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let Either::Left((replayed, _)) = ended else {
        return Err("the replay was broken off: some records are invisible for up to 10 minutes".into());
    };
    let (report, error) = match &replayed {
        Ok(report) => (report, None),
        Err(stopped) => (stopped.report(), Some(stopped.error())),
    };
    if args.json {
        console.print_json(report)?;
    } else {
        console.print(&format!("Dead tasks of {}: {report}", safe(&topic)))?;
        stays(report.failed.iter().chain(&report.left), console)?;
    }
    if let Some(reason) = early_end(report, error) {
        console.error(&format!("The replay stopped: {reason}"))?;
        return Ok(1);
    }
    Ok(u8::from(!(report.failed.is_empty() && report.left.is_empty())))
}

/// Why a replay ended before it had seen all records, if it did.
fn early_end(report: &Replayed, error: Option<&Error>) -> Option<String> {
    match (error, report.end) {
        (Some(error), _) => Some(format!("{error:#}")),
        (None, Some(ReplayEnd::Stopped)) => Some("it was interrupted".to_owned()),
        (None, Some(ReplayEnd::Full)) => {
            Some("1,000 records stay, and there may be others behind them; deal with these first".to_owned())
        }
        (None, _) => None,
    }
}

/// The names of the tasks that would be enqueued, with their numbers. Anybody who may publish to the topic chooses the names.
async fn found(dead: &DeadTasks, args: &DeadReplayArgs) -> Result<String, BoxError> {
    let mut look = dead
        .list()
        .limit(args.limit.unwrap_or(MOST_COUNTED).min(MOST_COUNTED))
        .idle_timeout(Duration::from_secs(args.of.idle_timeout));
    if let Some(task) = &args.of.task {
        look = look.task(task);
    }
    let found = look.await?;
    let mut counts = BTreeMap::<&str, usize>::new();
    for task in &found.tasks {
        *counts.entry(task.task()).or_default() += 1;
    }
    let mut parts: Vec<_> = counts
        .iter()
        .take(MOST_NAMES)
        .map(|(name, count)| format!("{count} {}", excerpt(name)))
        .collect();
    if let Some(others) = counts.len().checked_sub(MOST_NAMES).filter(|others| *others > 0) {
        parts.push(format!("{others} other names"));
    }
    if !found.unreadable.is_empty() {
        parts.push(format!("{} that cannot be read", found.unreadable.len()));
    }
    if found.tasks.len() + found.unreadable.len() >= MOST_COUNTED {
        parts.push("perhaps more".to_owned());
    }
    if parts.is_empty() {
        parts.push("none was found".to_owned());
    }
    Ok(parts.join(", "))
}

/// Prints a line for each task that stays.
fn stays<'a>(
    left: impl IntoIterator<Item = &'a UnreplayedTask>,
    console: &mut Console,
) -> Result<(), BoxError> {
    for one in left {
        let name = one.task.as_deref().unwrap_or("a message");
        let id = one.id.as_deref().unwrap_or(&one.message_id);
        console.error(&format!(
            "{} {} stays: {}",
            excerpt(name),
            excerpt(id),
            safe(&one.reason)
        ))?;
    }
    Ok(())
}
