//! Ten thousand tasks whose worker is killed again and again: none may be lost.
//!
//! ```text
//! cargo run --release --example crash 2> /dev/null     # the engine tells every attempt on standard error
//! ```
//!
//! First with SIGKILL, which leaves a worker no time at all: a task that was executed but not answered yet is executed
//! again. Then with SIGTERM, at which a worker ends what runs, so that nothing is executed twice. It fails where a task
//! is lost, or where a graceful stop cuts one off or makes a duplicate.
#![allow(clippy::print_stdout, reason = "it talks to the person who starts it")]

#[cfg(unix)]
mod storm;

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<std::process::ExitCode, storm::BoxError> {
    use std::process::ExitCode;
    use std::time::Duration;

    use rustix::process::Signal;
    use tokio::process::Command;

    use crate::storm::Storm;

    if storm::be_the_worker().await? {
        return Ok(ExitCode::SUCCESS);
    }
    println!("| signal  | tasks | signals | attempts | executions | cut off | lost | duplicates | seconds |");
    println!("|---------|-------|---------|----------|------------|---------|------|------------|---------|");
    let mut fine = true;
    for (name, signal) in [("SIGKILL", Signal::KILL), ("SIGTERM", Signal::TERM)] {
        let storm = Storm {
            signal,
            signals: 38,
            every: 250,
            patience: Duration::from_secs(180),
        };
        let report = storm.rage(|| Ok(Command::new(std::env::current_exe()?))).await?;
        println!(
            "| {name} | {:>5} | {:>7} | {:>8} | {:>10} | {:>7} | {:>4} | {:>10} | {:>7.1} |",
            report.tasks,
            report.signals,
            report.attempts,
            report.executions,
            report.cut_off,
            report.lost,
            report.duplicates,
            report.time.as_secs_f64(),
        );
        if !report.finished {
            println!("The queue was not empty after {:?}.", storm.patience);
        }
        let gracefully = report.cut_off == 0 && report.duplicates == 0;
        fine &= report.finished && report.lost == 0 && (signal == Signal::KILL || gracefully);
    }
    if fine {
        println!("Nothing was lost.");
        Ok(ExitCode::SUCCESS)
    } else {
        println!("That is not as it should be.");
        Ok(ExitCode::FAILURE)
    }
}

#[cfg(not(unix))]
fn main() {
    println!("It kills with the signals of Unix, which this system does not have.");
}
