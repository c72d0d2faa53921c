//! Commands that a binary of yours mounts in one line.
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
//! | `initialize-subscribers` | topics and push subscriptions, and what dead letters need |
//! | `schedule-tasks` | the schedules of periodic tasks |
//! | `initialize-tasks` | all of that, and queues |
//! | `list` | every registered task with its kind, queue, topic and URL |
//! | `tasks list` | the tasks in a queue, all or some of them |
//! | `tasks get ID` | one task with its arguments |
//! | `tasks cancel ID..` | deletes tasks |
//! | `tasks run ID..` | has tasks sent now |
//! | `tasks debug ID` | fetches a task and runs it here; prints its output |
//! | `tasks discard` | deletes many: those of one `--task`, or `--all`; those with `--min-attempts` |
//! | `queues info`, `pause`, `resume`, `purge QUEUE` | a queue as a whole |
//! | `dead list` | the dead tasks of a topic, which stay there |
//! | `dead replay` | enqueues them again: all, `--limit` so many, only `--task` of a name, `--to-queue` another queue |
//!
//! `initialize-..` take `--plan` (look, and change nothing), `--json`, `--prune` (delete leftovers), `--allow-data-loss`,
//! `--project-number` and `--yes` (do not ask). The exit code is 0 when all is done or nothing was to do, 1 when something
//! failed or was not confirmed, and 2 for a plan with changes under `--plan --exit-code`. There are colours and a progress bar
//! on a terminal only, and no colours where `NO_COLOR` is set.
//!
//! `tasks ..` take `--queue`; else it is that of `--task`, else the application's. `tasks list --json` prints one object a line,
//! with the arguments, as they come; the other `--json` print one document. `tasks cancel` of several, `tasks discard` and `queues
//! purge` say how many tasks it is and ask, unless `--yes` is given; where nobody is there to ask they do nothing and exit with 1. So does
//! a task that is not there, or that could not be deleted. Names that came from a queue are printed without control characters.

mod args;
mod console;
mod dead;
mod discard;
mod list;
mod operations_args;
mod queues;
mod run;
mod set_up;
mod table;
mod tasks;

pub use args::{Command, DeadArgs, DeadCommand, DeadListArgs, DeadReplayArgs, ListArgs, SetUpArgs};
pub use console::Console;
pub use operations_args::{
    QueueArgs, QueuesCommand, QueuesInfoArgs, QueuesPurgeArgs, TasksCancelArgs, TasksCommand, TasksDebugArgs,
    TasksDiscardArgs, TasksGetArgs, TasksListArgs, TasksRunArgs,
};
