//! Running a command.

use std::process::ExitCode;

use crate::cli::args::Command;
use crate::cli::console::Console;
use crate::cli::{dead, list, queues, set_up, tasks};
use crate::runtime::Runtime;

impl Command {
    /// Runs the command on this process's terminal, and returns the exit code for `main`.
    pub async fn run(self, runtime: &Runtime) -> ExitCode {
        ExitCode::from(self.run_on(runtime, &mut Console::standard()).await)
    }

    /// Runs the command on this console, and returns the exit code: 0 done, 1 failed, 2 a plan with changes.
    pub async fn run_on(self, runtime: &Runtime, console: &mut Console) -> u8 {
        // Only `list` needs none.
        #[cfg(feature = "local")]
        if !matches!(self, Self::List(_))
            && let Err(error) = runtime.services().find_local_engine().await
        {
            // As below.
            let _ = console.error(&format!("error: {error:#}"));
            return 1;
        }
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
            #[cfg(feature = "schema")]
            Self::Schema(command) => crate::cli::schema::run(runtime, command, console),
        };
        done.unwrap_or_else(|error| {
            // If nobody reads the output, nobody reads this either.
            let _ = console.error(&format!("error: {error:#}"));
            1
        })
    }
}
