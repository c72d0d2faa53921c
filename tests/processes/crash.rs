//! Workers that are killed while they run tasks: no task is lost, and a graceful stop interrupts and repeats none. Idempotent
//! tasks have five attempts, and none dies before it has run. The example `crash` does the same with more tasks.

use std::time::Duration;

use rustix::process::Signal;
use tokio::process::Command;

use crash_test::{CrashTest, Report};
use deploy_test::DeployTest;
use hang_up_test::HangUpTest;
use stage::BoxError;

#[allow(dead_code, reason = "the example uses the rest")]
#[path = "../../examples/crash/crash_test.rs"]
mod crash_test;
#[allow(dead_code, reason = "the example uses the rest")]
#[path = "../../examples/crash/deploy_test.rs"]
mod deploy_test;
#[allow(dead_code, reason = "another program tests the rest")]
#[path = "../../examples/crash/file_store.rs"]
mod file_store;
#[allow(dead_code, reason = "the example uses the rest")]
#[path = "../../examples/crash/hang_up_test.rs"]
mod hang_up_test;
#[path = "../../examples/crash/stage.rs"]
pub(crate) mod stage;

/// Runs as a worker in the processes that the tests below start; otherwise it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker() {
    stage::run_as_worker().await.unwrap();
}

fn worker() -> Result<Command, BoxError> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["crash::the_worker", "--exact", "--nocapture"]);
    Ok(command)
}

/// The result of 200 tasks with three workers that are sent a signal.
async fn after_three(signal: Signal) -> Report {
    let test = CrashTest {
        signal,
        signals: 3,
        executions_per_worker: 40,
        timeout: Duration::from_secs(60),
    };
    test.run(worker).await.unwrap()
}

#[tokio::test]
async fn nothing_is_lost_when_workers_are_killed() {
    let report = after_three(Signal::KILL).await;

    assert!(report.finished, "{report:?}");
    assert_eq!((report.signals, report.lost), (3, 0), "{report:?}");
}

#[tokio::test]
async fn a_graceful_stop_loses_interrupts_and_repeats_nothing() {
    let report = after_three(Signal::TERM).await;

    assert!(report.finished, "{report:?}");
    assert_eq!((report.signals, report.lost), (3, 0), "{report:?}");
    assert_eq!((report.interrupted, report.duplicates), (0, 0), "{report:?}");
}

#[tokio::test]
async fn what_is_committed_is_sent_although_clients_hang_up_and_workers_stop() {
    let test = HangUpTest {
        orders: 80,
        orders_per_worker: 40,
        timeout: Duration::from_secs(60),
    };

    let report = test.run(worker).await.unwrap();

    assert_eq!((report.lost, report.phantoms), (0, 0), "{report:?}");
    assert_eq!(report.committed, report.sent, "{report:?}");
    assert!(report.hung_up > 0 && report.committed > 0, "{report:?}");
}

#[tokio::test]
async fn idempotent_tasks_with_five_attempts_survive_kills_and_deployments() {
    let test = DeployTest {
        signals: 6,
        executions_per_signal: 40,
        timeout: Duration::from_secs(120),
    };

    let report = test.run(worker).await.unwrap();

    assert_eq!((report.kills, report.deployments), (4, 2), "{report:?}");
    assert_eq!((report.lost, report.died_unrun), (0, 0), "{report:?}");
    assert!(report.interrupted > 0, "{report:?}");
    assert_eq!(report.doubled_otherwise, 0, "{report:?}");
}
