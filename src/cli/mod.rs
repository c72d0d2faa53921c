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
//! | `dead list` | the dead tasks of a topic, which stay there |
//! | `dead replay` | enqueues them again: all, `--limit` so many, only `--task` of a name, `--to-queue` another queue |
//!
//! `initialize-..` take `--plan` (look, and change nothing), `--json`, `--prune` (delete leftovers), `--allow-data-loss`,
//! `--project-number` and `--yes` (do not ask). The exit code is 0 when all is done or nothing was to do, 1 when something
//! failed or was not confirmed, and 2 for a plan with changes under `--plan --exit-code`. There are colours and a progress bar
//! on a terminal only, and no colours where `NO_COLOR` is set.

mod args;
mod console;
mod dead;
mod list;
mod run;
mod set_up;

pub use args::{Command, DeadArgs, DeadCommand, DeadListArgs, DeadReplayArgs, ListArgs, SetUpArgs};
pub use console::Console;
