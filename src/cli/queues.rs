//! The `queues` commands.

use crate::admin::queue::Queue;
use crate::base::BoxError;
use crate::base::text::safe;
use crate::cli::console::Console;
use crate::cli::operations_args::{QueuesCommand, QueuesInfoArgs, QueuesPurgeArgs};
use crate::cli::table::Table;
use crate::cli::tasks::agreed;
use crate::runtime::Runtime;

/// The maximum number of tasks that are counted before a purge: one page, so that nobody waits long.
const COUNTED: usize = 1000;

pub(crate) async fn run(
    runtime: &Runtime,
    command: QueuesCommand,
    console: &mut Console,
) -> Result<u8, BoxError> {
    match command {
        QueuesCommand::Info(args) => info(runtime, args, console).await,
        QueuesCommand::Pause(args) => {
            runtime.queue(&args.queue).pause().await?;
            console.print(&format!("paused {}", safe(&args.queue)))?;
            Ok(0)
        }
        QueuesCommand::Resume(args) => {
            runtime.queue(&args.queue).resume().await?;
            console.print(&format!("resumed {}", safe(&args.queue)))?;
            Ok(0)
        }
        QueuesCommand::Purge(args) => purge(runtime, args, console).await,
    }
}

async fn info(runtime: &Runtime, args: QueuesInfoArgs, console: &mut Console) -> Result<u8, BoxError> {
    let info = runtime.queue(args.queue).info().await?;
    if args.json {
        console.print_json(&info)?;
        return Ok(0);
    }
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let mut table = Table::new(["QUEUE", "STATE", "PER SECOND", "AT ONCE", "ATTEMPTS"]);
    table.push([
        info.name,
        info.state.to_string(),
        or_none(info.max_dispatches_per_second.map(|rate| rate.to_string())),
        or_none(info.max_concurrent_dispatches.map(|tasks| tasks.to_string())),
        or_none(info.max_attempts.map(|attempts| attempts.to_string())),
    ]);
    console.print(&table.take())?;
    Ok(0)
}

async fn purge(runtime: &Runtime, args: QueuesPurgeArgs, console: &mut Console) -> Result<u8, BoxError> {
    let queue = runtime.queue(args.queue);
    if !args.yes {
        let count = count(&queue).await?;
        let question = format!("Delete {count} in queue {}, of all services?", safe(queue.name()));
        if !agreed(console, &question, "deleted", "pass --yes")? {
            return Ok(1);
        }
    }
    queue.purge().await?;
    console.print(&format!("purged {}", safe(queue.name())))?;
    Ok(0)
}

/// The number of tasks, in words.
async fn count(queue: &Queue) -> Result<String, BoxError> {
    let mut tasks = queue.list().without_arguments();
    let mut count = 0;
    while tasks.try_next().await?.is_some() {
        if count == COUNTED {
            return Ok(format!("more than {COUNTED} tasks"));
        }
        count += 1;
    }
    Ok(match count {
        1 => "1 task".to_owned(),
        count => format!("{count} tasks"),
    })
}
