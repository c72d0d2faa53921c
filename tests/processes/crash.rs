//! A worker that is killed while it runs tasks: none is lost, and none is cut off or run twice where it may stop
//! gracefully. The example `crash` is the same with more tasks.

use std::time::Duration;

use rustix::process::Signal;
use tokio::process::Command;

use storm::{BoxError, Report, Storm};

#[allow(dead_code, reason = "the example shows more of it")]
#[path = "../../examples/crash/storm.rs"]
mod storm;

/// The worker's part, in a process that the tests below start; nothing otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker() {
    storm::be_the_worker().await.unwrap();
}

fn worker() -> Result<Command, BoxError> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["crash::the_worker", "--exact", "--nocapture"]);
    Ok(command)
}

/// What comes of 200 tasks and three workers that are sent a signal amid their work.
async fn after_three(signal: Signal) -> Report {
    let storm = Storm {
        signal,
        signals: 3,
        every: 40,
        patience: Duration::from_secs(60),
    };
    storm.rage(worker).await.unwrap()
}

#[tokio::test]
async fn nothing_is_lost_when_workers_are_killed() {
    let report = after_three(Signal::KILL).await;

    assert!(report.finished, "{report:?}");
    assert_eq!((report.signals, report.lost), (3, 0), "{report:?}");
}

#[tokio::test]
async fn nothing_is_lost_or_cut_off_or_run_twice_when_workers_are_told_to_stop() {
    let report = after_three(Signal::TERM).await;

    assert!(report.finished, "{report:?}");
    assert_eq!((report.signals, report.lost), (3, 0), "{report:?}");
    assert_eq!((report.cut_off, report.duplicates), (0, 0), "{report:?}");
}
