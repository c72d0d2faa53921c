//! Runs ten thousand tasks while the worker is killed again and again. No task may be lost.
//!
//! ```text
//! cargo run --release --example crash 2> /dev/null     # the engine logs every attempt to standard error
//! ```
//!
//! The first round uses SIGKILL, which gives a worker no time: a task that was executed without a response is executed
//! again. The second round uses SIGTERM, after which a worker finishes its running tasks, so nothing is executed twice. The
//! example fails if a task is lost, or if SIGTERM interrupts a task or causes a duplicate. The third round has clients that hang
//! up while their orders are committed: exactly the tasks of what is committed must be sent.
#![allow(clippy::print_stdout, reason = "the table is for the person at the terminal")]

#[cfg(unix)]
mod crash_test;
#[cfg(unix)]
mod hang_up_test;

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<std::process::ExitCode, crash_test::BoxError> {
    use std::process::ExitCode;
    use std::time::Duration;

    use rustix::process::Signal;
    use tokio::process::Command;

    use crate::crash_test::CrashTest;
    use crate::hang_up_test::HangUpTest;

    if crash_test::run_as_worker().await? {
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "| signal  | tasks | signals | attempts | executions | interrupted | lost | duplicates | seconds |"
    );
    println!(
        "|---------|-------|---------|----------|------------|-------------|------|------------|---------|"
    );
    let mut passed = true;
    for (name, signal) in [("SIGKILL", Signal::KILL), ("SIGTERM", Signal::TERM)] {
        let test = CrashTest {
            signal,
            signals: 38,
            executions_per_worker: 250,
            timeout: Duration::from_secs(180),
        };
        let report = test.run(|| Ok(Command::new(std::env::current_exe()?))).await?;
        println!(
            "| {name} | {:>5} | {:>7} | {:>8} | {:>10} | {:>11} | {:>4} | {:>10} | {:>7.1} |",
            report.tasks,
            report.signals,
            report.attempts,
            report.executions,
            report.interrupted,
            report.lost,
            report.duplicates,
            report.time.as_secs_f64(),
        );
        if !report.finished {
            println!("The queue was not empty after {:?}.", test.timeout);
        }
        let is_graceful = report.interrupted == 0 && report.duplicates == 0;
        passed &= report.finished && report.lost == 0 && (signal == Signal::KILL || is_graceful);
    }
    let test = HangUpTest {
        orders: 1000,
        orders_per_worker: 100,
        timeout: Duration::from_secs(180),
    };
    let report = test.run(|| Ok(Command::new(std::env::current_exe()?))).await?;
    println!();
    println!(
        "| orders | hung up | SIGTERM | tasks committed | tasks sent | lost | not committed | seconds |"
    );
    println!(
        "|--------|---------|---------|-----------------|------------|------|---------------|---------|"
    );
    println!(
        "| {:>6} | {:>7} | {:>7} | {:>15} | {:>10} | {:>4} | {:>13} | {:>7.1} |",
        report.orders,
        report.hung_up,
        report.signals,
        report.committed,
        report.sent,
        report.lost,
        report.phantoms,
        report.time.as_secs_f64(),
    );
    passed &= report.lost == 0 && report.phantoms == 0;
    if passed {
        println!("Passed: no task was lost.");
        Ok(ExitCode::SUCCESS)
    } else {
        println!("Failed: see the table.");
        Ok(ExitCode::FAILURE)
    }
}

#[cfg(not(unix))]
fn main() {
    println!("This example needs Unix signals, which this system does not have.");
}
