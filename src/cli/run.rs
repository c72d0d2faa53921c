//! Doing what a command says.

use std::process::ExitCode;

use crate::cli::args::Command;
use crate::cli::console::Console;
use crate::cli::{dead, list, queues, set_up, tasks};
use crate::runtime::Runtime;

impl Command {
    /// Does it, on this process's terminal, and gives back the exit code for `main`.
    pub async fn run(self, runtime: &Runtime) -> ExitCode {
        ExitCode::from(self.run_on(runtime, &mut Console::standard()).await)
    }

    /// Does it, on this console, and gives back the exit code: 0 done, 1 failed, 2 a plan with changes.
    pub async fn run_on(self, runtime: &Runtime, console: &mut Console) -> u8 {
        let done = match self {
            Self::InitializeSubscribers(args) => {
                set_up::run(runtime.setup().only_subscribers(), &args, console).await
            }
            Self::ScheduleTasks(args) => set_up::run(runtime.setup().only_schedules(), &args, console).await,
            Self::InitializeTasks(args) => set_up::run(runtime.setup(), &args, console).await,
            Self::List(args) => list::run(runtime, &args, console),
            Self::Tasks(command) => tasks::run(runtime, command, console).await,
            Self::Queues(command) => queues::run(runtime, command, console).await,
            Self::Dead(command) => dead::run(runtime, &command, console).await,
        };
        done.unwrap_or_else(|error| {
            // Who does not read our output does not read this either.
            let _ = console.error(&format!("error: {error:#}"));
            1
        })
    }
}
