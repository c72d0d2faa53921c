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
