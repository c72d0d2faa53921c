//! Runs ten thousand tasks while the worker is killed again and again. No task may be lost.
//!
//! ```text
//! cargo run --release --example crash 2> /dev/null     # the engine logs every attempt to standard error
//! ```
//!
//! The first round uses SIGKILL, which gives a worker no time: a task that was executed without a response is executed
//! again. The second round uses SIGTERM, after which a worker finishes its running tasks, so nothing is executed twice. The
//! example fails if a task is lost, or if SIGTERM interrupts a task or causes a duplicate. The third round has clients that hang
//! up while their orders are committed: exactly the tasks of what is committed must be sent. In the fourth round workers are killed
//! and deployed, and the tasks are idempotent with five attempts: none may be lost, and none may die before it has run.
#![allow(clippy::print_stdout, reason = "the table is for the person at the terminal")]

#[cfg(unix)]
mod crash_test;
#[cfg(unix)]
mod deploy_test;
#[cfg(unix)]
mod file_store;
#[cfg(unix)]
mod hang_up_test;
#[cfg(unix)]
mod rounds;
#[cfg(unix)]
mod stage;

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<std::process::ExitCode, stage::BoxError> {
    use std::process::ExitCode;

    if stage::run_as_worker().await? {
        return Ok(ExitCode::SUCCESS);
    }
    let passed = [
        rounds::signals().await?,
        rounds::hang_up().await?,
        rounds::deploy().await?,
    ];
    if passed == [true; 3] {
        println!("Passed: no task was lost.");
        Ok(ExitCode::SUCCESS)
    } else {
        println!("Failed: see the tables.");
        Ok(ExitCode::FAILURE)
    }
}

#[cfg(not(unix))]
fn main() {
    println!("This example needs Unix signals, which this system does not have.");
}
