//! `dead list` and `dead replay`.

use cloud_tasks::{PublisherTask, Runtime};
use serde_json::{Value, json};

use super::stage::{Anything, Stage};
use crate::support::console;

/// Runs a command line.
async fn run(runtime: &Runtime, line: &str, answers: Option<&'static str>) -> (u8, String, String) {
    let words: Vec<_> = line.split_whitespace().collect();
    console::run(runtime, &words, answers).await
}

#[tokio::test]
async fn dead_tasks_are_listed_as_a_table_and_as_json() {
    let stage = Stage::set().await;
    let id = stage.die(7).await;

    let (code, table, _) = run(&stage.runtime, "dead list --topic dead-charges", None).await;
    let (_, json, _) = run(
        &stage.runtime,
        "dead list --topic dead-charges --task Charge --json",
        None,
    )
    .await;
    let (_, none, _) = run(&stage.runtime, "dead list --topic dead-tasks", None).await;

    assert_eq!(code, 0);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with("DIED") && lines[0].ends_with("TASK    QUEUE  ATTEMPTS  ERROR"),
        "{table}"
    );
    assert!(
        lines[1].ends_with("Z  Charge  tasks  3         the shop is closed"),
        "{table}"
    );
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["tasks"][0]["id"], json!(id));
    assert_eq!(json["tasks"][0]["body"], json!({"invoice": 7}));
    assert_eq!(none, "No dead tasks in dead-tasks\n");
    stage.strike().await;
}

#[tokio::test]
async fn a_replay_asks_and_tells_how_many_were_enqueued_and_what_stays_and_why() {
    let stage = Stage::set().await;
    stage.die(7).await;
    Anything(json!({"some": "event"}))
        .sync()
        .on(&stage.runtime)
        .await
        .unwrap();
    stage.shop.open();
    let line = "dead replay --topic dead-charges";

    let (nobody, _, unasked) = run(&stage.runtime, line, None).await;
    let (no, _, asked) = run(&stage.runtime, line, Some("n\n")).await;
    let (some_stay, out, err) = run(&stage.runtime, line, Some("y\n")).await;
    let (again, json, _) = run(
        &stage.runtime,
        &format!("{line} --yes --json --task Charge"),
        None,
    )
    .await;

    assert_eq!((nobody, no, some_stay, again), (1, 1, 1, 1));
    assert!(unasked.contains("nobody can confirm: pass --yes"), "{unasked}");
    assert!(
        asked.starts_with(
            "Enqueue all dead tasks of dead-charges again (1 Charge, 1 that cannot be read)? [y/N]"
        ),
        "{asked}"
    );
    assert_eq!(
        out,
        "Dead tasks of dead-charges: 1 enqueued, 0 duplicates, 0 skipped, 0 failed, 1 left, 0 returned\n"
    );
    assert!(
        err.contains("stays: not a record of a dead task: missing field `task`"),
        "{err}"
    );
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["replayed"], json["left"].as_array().unwrap().len()),
        (&json!(0), 1)
    );
    stage.strike().await;
}

#[tokio::test]
async fn where_there_are_several_topics_one_is_named_and_the_error_names_them() {
    let stage = Stage::set().await;

    let (code, _, err) = run(&stage.runtime, "dead list", None).await;

    assert_eq!(code, 1);
    assert!(
        err.contains("choose one with --topic") && err.contains("dead-tasks, dead-charges"),
        "{err}"
    );
    stage.strike().await;
}

#[tokio::test]
async fn where_there_is_one_topic_it_need_not_be_named() {
    let runtime = Runtime::eager().build().await.unwrap();

    let (code, _, err) = run(&runtime, "dead list", None).await;

    assert_eq!(code, 1);
    assert!(err.contains("dead tasks cannot be read"), "{err}");
}
