//! The commands and their options.

use clap::{Args, Subcommand};

use crate::cli::operations_args::{QueuesCommand, TasksCommand};

/// What there is to do; mount it with `#[command(subcommand)]` or `#[command(flatten)]`.
#[derive(Clone, Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Make the topics and push subscriptions that publishers and subscribers need
    InitializeSubscribers(SetUpArgs),
    /// Make the schedules of periodic tasks
    ScheduleTasks(SetUpArgs),
    /// Make everything that is needed: topics, subscriptions, queues and schedules
    InitializeTasks(SetUpArgs),
    /// List every registered task
    List(ListArgs),
    /// Look at the tasks in a queue, and cancel, run or discard them
    #[command(subcommand)]
    Tasks(TasksCommand),
    /// Look at a queue, and pause, resume or purge it
    #[command(subcommand)]
    Queues(QueuesCommand),
    /// Look at dead tasks, and run them again
    #[command(subcommand)]
    Dead(DeadCommand),
}

/// What there is to do with dead tasks.
#[derive(Clone, Debug, Subcommand)]
#[non_exhaustive]
pub enum DeadCommand {
    /// Show the dead tasks of a topic, and leave them there
    List(DeadListArgs),
    /// Enqueue the dead tasks of a topic again
    Replay(DeadReplayArgs),
}

/// The options of a look at dead tasks.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct DeadListArgs {
    /// Which ones.
    #[command(flatten)]
    pub of: DeadArgs,
    /// Show at most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    pub limit: usize,
    /// Print JSON, with the arguments of the tasks
    #[arg(long)]
    pub json: bool,
}

/// The options of a replay.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct DeadReplayArgs {
    /// Which ones.
    #[command(flatten)]
    pub of: DeadArgs,
    /// Enqueue at most so many
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,
    /// Send them to this queue, and not to the one that each came from
    #[arg(long, value_name = "QUEUE")]
    pub to_queue: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Do it without asking
    #[arg(long)]
    pub yes: bool,
}

/// Which dead tasks are meant.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct DeadArgs {
    /// The base name or the full path of their topic; the only one that the service has, unless it is said
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Only tasks of this name
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// After so many seconds without a message there are no more
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub quiet: u64,
}

/// The options of a set-up.
#[derive(Clone, Debug, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[non_exhaustive]
pub struct SetUpArgs {
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub plan: bool,
    /// Exit with 2 when the plan has changes
    #[arg(long, requires = "plan")]
    pub exit_code: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Delete the subscriptions and schedules of this application that its code does not know any more
    #[arg(long)]
    pub prune: bool,
    /// Make subscriptions anew whose filter, topic or ordering differs; their unacknowledged messages are lost
    #[arg(long)]
    pub allow_data_loss: bool,
    /// The number of the project, where no metadata server tells it
    #[arg(long, value_name = "NUMBER")]
    pub project_number: Option<u64>,
    /// Do it without asking
    #[arg(long, conflicts_with = "plan")]
    pub yes: bool,
}

/// The options of a list.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct ListArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
