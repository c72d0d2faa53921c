//! Running a command.

use std::process::ExitCode;

use crate::cli::args::Command;
#[cfg(feature = "local")]
use crate::cli::args::DeadCommand;
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
        #[cfg(feature = "local")]
        if self.needs_local_engine(runtime)
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

    /// Whether the command reads or changes what is in a local engine. Messages and dead tasks are elsewhere if there is an emulator
    /// of Pub/Sub.
    #[cfg(feature = "local")]
    fn needs_local_engine(&self, runtime: &Runtime) -> bool {
        match self {
            Self::List(_) => false,
            #[cfg(feature = "schema")]
            Self::Schema(_) => false,
            Self::InitializeSubscribers(_) | Self::Dead(DeadCommand::List(_)) => {
                runtime.services().pubsub().is_none()
            }
            Self::ScheduleTasks(_)
            | Self::InitializeTasks(_)
            | Self::Tasks(_)
            | Self::Queues(_)
            | Self::Dead(DeadCommand::Replay(_)) => true,
        }
    }
}
