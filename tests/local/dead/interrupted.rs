//! Ctrl-C while `dead replay` runs, in a process of its own.

use std::io::Write;
use std::process::Stdio;

use clap::Parser;
use cloud_tasks::cli::{Command, Console};
use rustix::process::{Pid, Signal, kill_process};

use super::played::{Answer, Cloud, Fault, Step, runtime};
use crate::support::child;
use crate::support::wait::within;

const PART: &str = "dead::interrupted::replays_in_a_process_of_its_own";

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[tokio::test]
#[ignore = "the part of a child process"]
async fn replays_in_a_process_of_its_own() {
    let Some(url) = child::api() else { return };
    let runtime = runtime(&url, std::time::Duration::from_secs(60)).await;
    let args = Args::parse_from(["shop", "dead", "replay", "--topic", "dead-charges", "--yes"]);
    let mut console = Console::plain(std::io::stdout(), std::io::stderr());

    let code = args.command.run_on(&runtime, &mut console).await;

    writeln!(std::io::stdout(), "exit code {code}").unwrap();
}

#[tokio::test]
async fn ctrl_c_prints_the_report_so_far_and_returns_what_was_not_replayed() {
    let mut cloud = Cloud::with_charges(12).await;
    cloud.played().fault = Some(Fault {
        step: Step::Create,
        answer: Answer::Hangs,
        times: usize::MAX,
        takes_effect: false,
    });
    let child = child::command(PART, &cloud.url)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    within(cloud.creates.changed()).await.unwrap();

    kill_process(
        Pid::from_raw(child.id().unwrap().cast_signed()).unwrap(),
        Signal::INT,
    )
    .unwrap();
    let output = within(child.wait_with_output()).await.unwrap();

    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        out.contains(
            "Dead tasks of dead-charges: 0 enqueued, 0 duplicates, 0 skipped, 1 failed, 0 left, 11 returned\n"
        ) && out.contains("exit code 1\n"),
        "{out}{err}"
    );
    assert!(
        err.contains(
            "Charge c1 stays: the replay was stopped before there was a response: the task may have been enqueued\n"
        ) && err.contains("The replay stopped: it was interrupted\n"),
        "{err}"
    );
    assert_eq!(cloud.played().waiting.len(), 12);
}
