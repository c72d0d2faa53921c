//! The `tasks` commands.

use std::time::SystemTime;

use crate::admin::queue::Queue;
use crate::base::text::safe;
use crate::base::{BoxError, LastAttempt, QueuedTask};
use crate::cli::console::Console;
use crate::cli::delete;
use crate::cli::enqueue;
use crate::cli::operations_args::{TasksCancelArgs, TasksCommand, TasksGetArgs, TasksListArgs};
use crate::cli::table::Table;
use crate::runtime::Runtime;

/// The number of rows that are buffered to determine the width of the columns.
const BLOCK: usize = 500;

pub(crate) async fn run(
    runtime: &Runtime,
    command: TasksCommand,
    console: &mut Console,
) -> Result<u8, BoxError> {
    match command {
        TasksCommand::List(args) => list(runtime, args, console).await,
        TasksCommand::Get(args) => get(runtime, args, console).await,
        TasksCommand::Cancel(args) => cancel(runtime, args, console).await,
        TasksCommand::Run(args) => {
            let queue = queue(runtime, args.queue, None);
            let mut failed = false;
            for id in &args.ids {
                let there = queue.run_now(id).await;
                failed |= tell("sent", &queue, id, there, console)?;
            }
            Ok(u8::from(failed))
        }
        TasksCommand::RunHere(args) => {
            let queue = queue(runtime, args.queue, None);
            let output = if args.any_service {
                queue.run_here_of_any_service(&args.id).await?
            } else {
                queue.run_here(&args.id).await?
            };
            console.print_json(&output)?;
            Ok(0)
        }
        TasksCommand::Enqueue(args) => enqueue::run(runtime, args, console).await,
        TasksCommand::Delete(args) => delete::run(runtime, args, console).await,
    }
}

/// The given queue, or that of a task, or the application's.
pub(crate) fn queue(runtime: &Runtime, name: Option<String>, task: Option<&str>) -> Queue {
    let of_task = || {
        let entry = runtime.registry().by_name(task?)?;
        entry.registration.queue.map(str::to_owned)
    };
    match name.or_else(of_task) {
        Some(name) => runtime.queue(name),
        None => runtime.default_queue(),
    }
}

async fn list(runtime: &Runtime, args: TasksListArgs, console: &mut Console) -> Result<u8, BoxError> {
    let queue = queue(runtime, args.queue, args.task.as_deref());
    let mut tasks = queue.list().at_least_attempts(args.min_attempts);
    if !args.json {
        tasks = tasks.without_arguments();
    }
    if let Some(name) = &args.task {
        tasks = tasks.task(name);
    }
    let limit = args.limit.unwrap_or(usize::MAX);
    tasks = tasks.first(limit);
    let mut table = Table::new(["ID", "TASK", "ATTEMPTS", "DUE", "LAST ANSWER"]);
    let mut printed = 0;
    while printed < limit {
        let Some(task) = tasks.try_next().await? else {
            break;
        };
        printed += 1;
        if args.json {
            console.print_json_line(&task)?;
            continue;
        }
        table.push(row(&task));
        if table.len() >= BLOCK {
            console.print(&table.take())?;
        }
    }
    if !args.json {
        console.print(&table.take())?;
    }
    Ok(0)
}

fn row(task: &QueuedTask) -> [String; 5] {
    [
        task.id().to_owned(),
        name(task),
        task.attempts().to_string(),
        time(task.schedule_time()),
        last_response(task.last_attempt()),
    ]
}

/// The task's name, or its URL.
pub(crate) fn name(task: &QueuedTask) -> String {
    task.task().unwrap_or(task.url()).to_owned()
}

fn time(time: Option<SystemTime>) -> String {
    let seconds = time.and_then(|time| jiff::Timestamp::try_from(time).ok());
    seconds.map_or_else(|| "-".to_owned(), |time| format!("{time:.0}"))
}

fn last_response(attempt: Option<&LastAttempt>) -> String {
    match attempt {
        None => "-".to_owned(),
        Some(attempt) if attempt.response_time.is_none() => "under way".to_owned(),
        Some(attempt) => attempt
            .http_status()
            .map(|status| status.to_string())
            .or_else(|| attempt.status.clone())
            .unwrap_or_else(|| "unknown".to_owned()),
    }
}

async fn get(runtime: &Runtime, args: TasksGetArgs, console: &mut Console) -> Result<u8, BoxError> {
    let queue = queue(runtime, args.queue, None);
    let Some(task) = queue.get(&args.id).await? else {
        return Err(queue.not_queued(&args.id).into());
    };
    if args.json {
        console.print_json(&task)?;
        return Ok(0);
    }
    let headers = task.headers().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        format!("{name}: {value}")
    });
    let lines = [
        ("id", task.id().to_owned()),
        ("task", name(&task)),
        ("url", task.url().to_owned()),
        ("made", time(task.create_time())),
        ("due", time(task.schedule_time())),
        ("attempts", task.attempts().to_string()),
        ("last answer", last_response(task.last_attempt())),
    ];
    let lines = lines.into_iter().chain(headers.map(|header| ("header", header)));
    let body = String::from_utf8_lossy(task.body().unwrap_or_default()).into_owned();
    let lines = lines.chain([("arguments", body)]);
    let lines: Vec<_> = lines
        .map(|(what, value)| format!("{what:<11}  {}", safe(&value)).trim_end().to_owned())
        .collect();
    console.print(&lines.join("\n"))?;
    Ok(0)
}

async fn cancel(runtime: &Runtime, args: TasksCancelArgs, console: &mut Console) -> Result<u8, BoxError> {
    let queue = queue(runtime, args.queue, None);
    if args.ids.len() > 1 && !args.yes {
        let question = format!("Cancel {} tasks in queue {}?", args.ids.len(), safe(queue.name()));
        if !agreed(console, &question, "cancelled", "pass --yes")? {
            return Ok(1);
        }
    }
    let mut failed = false;
    for id in &args.ids {
        let there = queue.cancel(id).await;
        failed |= tell("cancelled", &queue, id, there, console)?;
    }
    Ok(u8::from(failed))
}

/// Prints the outcome for a task. Returns whether it failed or was not found.
fn tell(
    done: &str,
    queue: &Queue,
    id: &str,
    there: Result<bool, crate::Error>,
    console: &mut Console,
) -> Result<bool, BoxError> {
    match there {
        Ok(true) => {
            console.print(&format!("{done} {}", safe(id)))?;
            return Ok(false);
        }
        Ok(false) => console.error(&format!("error: {}", queue.not_queued(id)))?,
        Err(error) => console.error(&format!("error: {error:#}"))?,
    }
    Ok(true)
}

/// Asks for confirmation; an error if nobody can answer.
pub(crate) fn agreed(
    console: &mut Console,
    question: &str,
    done: &str,
    instead: &str,
) -> Result<bool, BoxError> {
    match console.confirm(question)? {
        Some(true) => Ok(true),
        Some(false) => {
            console.error(&format!("Nothing was {done}."))?;
            Ok(false)
        }
        None => Err(format!("nothing was {done}, and nobody can confirm: {instead}").into()),
    }
}
