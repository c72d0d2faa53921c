//! The commands on queues and tasks, and their options.

use clap::{ArgGroup, Args, Subcommand};

/// What there is to do with the tasks in a queue.
#[derive(Clone, Debug, Subcommand)]
#[non_exhaustive]
pub enum TasksCommand {
    /// List the tasks in a queue
    List(TasksListArgs),
    /// Show a task with its arguments
    Get(TasksGetArgs),
    /// Delete tasks, so that they are not tried again
    Cancel(TasksCancelArgs),
    /// Have tasks sent now, whenever they are due
    Run(TasksRunArgs),
    /// Fetch a task and run it here, as its next attempt would; it stays in the queue
    Debug(TasksDebugArgs),
    /// Delete many tasks at once
    Discard(TasksDiscardArgs),
}

/// What there is to do with a queue.
#[derive(Clone, Debug, Subcommand)]
#[non_exhaustive]
pub enum QueuesCommand {
    /// Show the state of a queue, its rates and its number of attempts
    Info(QueuesInfoArgs),
    /// Keep a queue from sending tasks
    Pause(QueueArgs),
    /// Let a queue send tasks again
    Resume(QueueArgs),
    /// Delete all tasks of a queue, of whichever service
    Purge(QueuesPurgeArgs),
}

/// The options of `tasks list`.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct TasksListArgs {
    /// The queue; that of --task, else the application's, unless given
    #[arg(long)]
    pub queue: Option<String>,
    /// Only tasks of this name that come to this service
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// Only tasks that were tried this many times or more
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub min_attempts: u32,
    /// Show no more than this many
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Print JSON with the arguments, one task a line
    #[arg(long)]
    pub json: bool,
}

/// The options of `tasks get`.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct TasksGetArgs {
    /// The task's id
    pub id: String,
    /// The queue; the application's unless given
    #[arg(long)]
    pub queue: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The options of `tasks cancel`.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct TasksCancelArgs {
    /// The tasks' ids
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
    /// The queue; the application's unless given
    #[arg(long)]
    pub queue: Option<String>,
    /// Do it without asking, which is done for several
    #[arg(long)]
    pub yes: bool,
}

/// The options of `tasks run`.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct TasksRunArgs {
    /// The tasks' ids
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
    /// The queue; the application's unless given
    #[arg(long)]
    pub queue: Option<String>,
}

/// The options of `tasks debug`.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct TasksDebugArgs {
    /// The task's id
    pub id: String,
    /// The queue; the application's unless given
    #[arg(long)]
    pub queue: Option<String>,
}

/// The options of `tasks discard`.
#[derive(Clone, Debug, Default, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["task", "all"])))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[non_exhaustive]
pub struct TasksDiscardArgs {
    /// Tasks of this name that come to this service
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// All tasks of the queue, of whichever service
    #[arg(long)]
    pub all: bool,
    /// Only tasks that were tried this many times or more
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub min_attempts: u32,
    /// The queue; that of --task, else the application's, unless given
    #[arg(long)]
    pub queue: Option<String>,
    /// Delete so many at once
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub concurrency: usize,
    /// Show which tasks it would be, and delete nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Do it without counting and asking first
    #[arg(long)]
    pub yes: bool,
}

/// A queue.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct QueueArgs {
    /// The queue's short name
    pub queue: String,
}

/// The options of `queues info`.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct QueuesInfoArgs {
    /// The queue's short name
    pub queue: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The options of `queues purge`.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct QueuesPurgeArgs {
    /// The queue's short name
    pub queue: String,
    /// Do it without counting and asking first
    #[arg(long)]
    pub yes: bool,
}
