//! The commands and their options.

use clap::{Args, Subcommand};

use crate::cli::operations_args::{QueuesCommand, TasksCommand};

/// The commands; mount them with `#[command(subcommand)]` or `#[command(flatten)]`.
#[derive(Clone, Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Create the topics and push subscriptions of publishers and subscribers
    InitializeSubscribers(SetUpArgs),
    /// Create the schedules of periodic tasks
    ScheduleTasks(SetUpArgs),
    /// Create all topics, subscriptions, queues and schedules
    InitializeTasks(SetUpArgs),
    /// List every registered task
    List(ListArgs),
    /// List, cancel, run or delete the tasks of a queue
    #[command(subcommand)]
    Tasks(TasksCommand),
    /// Show, pause, resume or purge a queue
    #[command(subcommand)]
    Queues(QueuesCommand),
    /// List or replay dead tasks
    #[command(subcommand)]
    Dead(DeadCommand),
    /// Export, document and check the JSON Schemas of tasks and events
    #[cfg(feature = "schema")]
    #[command(subcommand)]
    Schema(crate::cli::schema::SchemaCommand),
}

/// The commands for dead tasks.
#[derive(Clone, Debug, Subcommand)]
#[non_exhaustive]
pub enum DeadCommand {
    /// List the dead tasks of a topic and leave them in place
    List(DeadListArgs),
    /// Enqueue the dead tasks of a topic again
    Replay(DeadReplayArgs),
}

/// The options of `dead list`.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct DeadListArgs {
    /// The selection.
    #[command(flatten)]
    pub of: DeadArgs,
    /// Show at most this many tasks
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    pub limit: usize,
    /// Print JSON, including the arguments of the tasks
    #[arg(long)]
    pub json: bool,
}

/// The options of `dead replay`.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct DeadReplayArgs {
    /// The selection.
    #[command(flatten)]
    pub of: DeadArgs,
    /// Enqueue at most this many tasks
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,
    /// Send the tasks to this queue instead of their former queues
    #[arg(long, value_name = "QUEUE")]
    pub to_queue: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    pub yes: bool,
}

/// The selection of dead tasks.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct DeadArgs {
    /// The base name or the full path of the topic [default: the service's only topic of dead tasks]
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Select only tasks with this name
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// End after this many seconds without a message
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub idle_timeout: u64,
}

/// The options of a set-up.
#[derive(Clone, Debug, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[non_exhaustive]
pub struct SetUpArgs {
    /// Show the changes without making them
    #[arg(long)]
    pub plan: bool,
    /// Exit with 2 if the plan is not empty: changes, held-back changes or warnings
    #[arg(long, requires = "plan")]
    pub exit_code: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Delete this application's subscriptions and schedules that its code no longer has
    #[arg(long)]
    pub prune: bool,
    /// Recreate subscriptions whose filter, topic or ordering differs; their unacknowledged messages are lost
    #[arg(long)]
    pub allow_data_loss: bool,
    /// Leave IAM policies to somebody else
    #[arg(long)]
    pub skip_iam: bool,
    /// The number of the project, if no metadata server provides it
    #[arg(long, value_name = "NUMBER")]
    pub project_number: Option<u64>,
    /// Do not ask for confirmation
    #[arg(long, conflicts_with = "plan")]
    pub yes: bool,
}

/// The options of `list`.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct ListArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
