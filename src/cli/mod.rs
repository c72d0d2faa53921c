//! Commands that you mount in your binary with one line.
//!
//! ```standalone_crate
//! use clap::Parser;
//! use cloud_tasks::{Runtime, cli};
//!
//! #[derive(Parser)]
//! struct Args {
//!     #[command(subcommand)]
//!     command: Option<cli::Command>,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), cloud_tasks::Error> {
//! let runtime = Runtime::eager().build().await?;
//! # let args = ["shop", "list"];
//! match Args::parse_from(args).command {       // Args::parse() in a main
//!     Some(command) => { let exit_code = command.run(&runtime).await; /* return it from main */ }
//!     None => { /* serve */ }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | command | what it does |
//! |---|---|
//! | `initialize-subscribers` | creates topics, push subscriptions and what dead letters need |
//! | `schedule-tasks` | creates the schedules of periodic tasks |
//! | `initialize-tasks` | creates all of these, and queues |
//! | `list` | lists every registered task with its kind, queue, topic and URL |
//! | `tasks list` | lists the tasks of a queue |
//! | `tasks get ID` | shows one task with its arguments |
//! | `tasks cancel ID..` | deletes tasks |
//! | `tasks run ID..` | dispatches tasks now |
//! | `tasks run-here ID` | runs a task in this process and prints its output |
//! | `tasks enqueue NAME JSON` | enqueues a task, `--in 5m` later; wrong arguments are refused before anything is sent |
//! | `tasks delete` | deletes many tasks: those of one `--task`, or `--all`; those with `--min-attempts` |
//! | `schema export`, `schema asyncapi` | prints JSON Schemas, or an `AsyncAPI` 3 document (feature `schema`) |
//! | `schema check FILE` | fails if queued tasks or older messages would not decode (feature `schema`) |
//! | `queues info`, `pause`, `resume`, `purge QUEUE` | shows or changes a queue |
//! | `dead list` | lists the dead tasks of a topic and leaves them in place |
//! | `dead replay` | enqueues them again: all, at most `--limit`, only those of `--task`, or `--to-queue` another queue; Ctrl-C stops it in an orderly way |
//!
//! The `initialize-..` commands and `schedule-tasks` accept `--plan` (show the changes without making them), `--json`,
//! `--prune` (delete leftovers), `--allow-data-loss`, `--project-number` and `--yes` (do not ask). The exit code is 0
//! if everything is done or there was nothing to do, 1 if something failed or was not confirmed, and 2 for a plan with
//! changes under `--plan --exit-code`. Colours and the progress bar appear only on a terminal, and colours only if
//! `NO_COLOR` is not set.
//!
//! The `tasks ..` commands accept `--queue`; the default is the queue of `--task`, or the application's. `tasks list
//! --json` prints one object per line, with the arguments, as the tasks arrive; every other `--json` prints one
//! document. `tasks cancel` with several ids, `tasks delete` and `queues purge` show the number of tasks and ask for
//! confirmation, unless `--yes` is given. If nobody can answer, they do nothing and exit with 1. A task that was not
//! found or could not be deleted also exits with 1. Names that come from a queue are printed without control
//! characters.

mod args;
mod console;
mod dead;
mod delete;
mod enqueue;
mod interrupt;
mod list;
mod operations_args;
mod queues;
mod run;
#[cfg(feature = "schema")]
mod schema;
mod set_up;
mod table;
mod tasks;

pub use args::{Command, DeadArgs, DeadCommand, DeadListArgs, DeadReplayArgs, ListArgs, SetUpArgs};
pub use console::Console;
pub use operations_args::{
    QueueArgs, QueuesCommand, QueuesInfoArgs, QueuesPurgeArgs, TasksCancelArgs, TasksCommand,
    TasksDeleteArgs, TasksEnqueueArgs, TasksGetArgs, TasksListArgs, TasksRunArgs, TasksRunHereArgs,
};
#[cfg(feature = "schema")]
#[cfg_attr(docsrs, doc(cfg(feature = "schema")))]
pub use schema::{AsyncapiArgs, SchemaCheckArgs, SchemaCommand};
