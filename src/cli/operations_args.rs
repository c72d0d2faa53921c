//! The commands for queues and tasks, and their options.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};

use crate::base::time::from_words;

/// The commands for the tasks of a queue.
#[derive(Clone, Debug, Subcommand)]
#[non_exhaustive]
pub enum TasksCommand {
    /// List the tasks of a queue
    List(TasksListArgs),
    /// Show a task with its arguments
    Get(TasksGetArgs),
    /// Delete tasks, so that they are not attempted again
    Cancel(TasksCancelArgs),
    /// Dispatch tasks now, even before they are due
    Run(TasksRunArgs),
    /// Run a task in this process, as its next attempt would; it stays in the queue
    RunHere(TasksRunHereArgs),
    /// Enqueue a task by its name
    Enqueue(TasksEnqueueArgs),
    /// Delete many tasks
    Delete(TasksDeleteArgs),
}

/// The commands for a queue.
#[derive(Clone, Debug, Subcommand)]
#[non_exhaustive]
pub enum QueuesCommand {
    /// Show the state, the rates and the maximum attempts of a queue
    Info(QueuesInfoArgs),
    /// Pause a queue: it dispatches no tasks
    Pause(QueueArgs),
    /// Resume a queue
    Resume(QueueArgs),
    /// Delete all tasks of a queue, whichever service they belong to
    Purge(QueuesPurgeArgs),
}

/// The options of `tasks list`.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct TasksListArgs {
    /// The queue [default: that of --task, or the application's]
    #[arg(long)]
    pub queue: Option<String>,
    /// Select only this service's tasks with this name
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// Select only tasks with at least this many attempts
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub min_attempts: u32,
    /// Show at most this many tasks
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Print JSON with the arguments, one task per line
    #[arg(long)]
    pub json: bool,
}

/// The options of `tasks get`.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct TasksGetArgs {
    /// The task's id
    pub id: String,
    /// The queue [default: the application's]
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
    /// The queue [default: the application's]
    #[arg(long)]
    pub queue: Option<String>,
    /// Do not ask for confirmation if there are several ids
    #[arg(long)]
    pub yes: bool,
}

/// The options of `tasks enqueue`.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct TasksEnqueueArgs {
    /// The task's name, or one of its aliases
    pub name: String,
    /// Its arguments as JSON, such as '{"invoice":7}'; they are decoded before anything is sent
    #[arg(default_value = "{}", value_name = "JSON")]
    pub arguments: String,
    /// Run it after this delay, such as 5m
    #[arg(long = "in", value_name = "DELAY", value_parser = from_words)]
    pub delay: Option<Duration>,
    /// The queue [default: that of the task, or the application's]
    #[arg(long)]
    pub queue: Option<String>,
    /// The task's id: a second task with this id is not created
    #[arg(long)]
    pub id: Option<String>,
}

/// The options of `tasks run`.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct TasksRunArgs {
    /// The tasks' ids
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
    /// The queue [default: the application's]
    #[arg(long)]
    pub queue: Option<String>,
}

/// The options of `tasks run-here`.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct TasksRunHereArgs {
    /// The task's id
    pub id: String,
    /// The queue [default: the application's]
    #[arg(long)]
    pub queue: Option<String>,
    /// Run it by its name, even if it is sent to another service
    #[arg(long)]
    pub any_service: bool,
}

/// The options of `tasks delete`.
#[derive(Clone, Debug, Default, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["task", "all"])))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[non_exhaustive]
pub struct TasksDeleteArgs {
    /// Delete this service's tasks with this name
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// Delete all tasks of the queue, whichever service they belong to
    #[arg(long)]
    pub all: bool,
    /// Select only tasks with at least this many attempts
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub min_attempts: u32,
    /// The queue [default: that of --task, or the application's]
    #[arg(long)]
    pub queue: Option<String>,
    /// The number of concurrent deletions
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub concurrency: usize,
    /// Show the tasks without deleting them
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Do not count the tasks and ask for confirmation
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
    /// Do not count the tasks and ask for confirmation
    #[arg(long)]
    pub yes: bool,
}
