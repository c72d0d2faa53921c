//! The rounds of the example: each runs a test, prints its table and returns whether it passed.

use std::time::Duration;

use rustix::process::Signal;
use tokio::process::Command;

use super::crash_test::CrashTest;
use super::deploy_test::DeployTest;
use super::hang_up_test::HangUpTest;
use super::stage::BoxError;

/// The rounds with one worker after the other, which is killed or told to stop.
pub(crate) async fn signals() -> Result<bool, BoxError> {
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
        let report = test.run(worker).await?;
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
    Ok(passed)
}

fn worker() -> Result<Command, BoxError> {
    Ok(Command::new(std::env::current_exe()?))
}

/// The round with clients that hang up.
pub(crate) async fn hang_up() -> Result<bool, BoxError> {
    let test = HangUpTest {
        orders: 1000,
        orders_per_worker: 100,
        timeout: Duration::from_secs(180),
    };
    let report = test.run(worker).await?;
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
    Ok(report.lost == 0 && report.phantoms == 0)
}

/// The round with deployments.
pub(crate) async fn deploy() -> Result<bool, BoxError> {
    let test = DeployTest {
        signals: 60,
        executions_per_signal: 250,
        timeout: Duration::from_secs(600),
    };
    let report = test.run(worker).await?;
    println!();
    println!(
        "| idempotent tasks | SIGKILL | deployments | interrupted | lost | died unrun | died after a run | doubled by SIGKILL | doubled otherwise | seconds |"
    );
    println!(
        "|------------------|---------|-------------|-------------|------|------------|------------------|--------------------|-------------------|---------|"
    );
    println!(
        "| {:>16} | {:>7} | {:>11} | {:>11} | {:>4} | {:>10} | {:>16} | {:>18} | {:>17} | {:>7.1} |",
        report.tasks,
        report.kills,
        report.deployments,
        report.interrupted,
        report.lost,
        report.died_unrun,
        report.died_after_a_run.values().sum::<u64>(),
        report.doubled_by_kills,
        report.doubled_otherwise,
        report.time.as_secs_f64(),
    );
    for (cause, tasks) in &report.died_after_a_run {
        println!("Died after a run, and recorded: {tasks} ({cause}).");
    }
    Ok(report.lost == 0 && report.died_unrun == 0 && report.doubled_otherwise == 0)
}
