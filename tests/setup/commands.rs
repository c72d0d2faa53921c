//! The commands, as a binary that mounts them.

use std::io::Cursor;

use clap::Parser;
use cloud_tasks::Runtime;
use cloud_tasks::cli::Console;
use serde_json::{Value, json};

use crate::cloud::{Cloud, SUBSCRIPTIONS};
use crate::support::api::refused;
use crate::support::console;

/// Runs a command line: the exit code, and what went to standard output and to standard error.
async fn run(runtime: &Runtime, line: &str, change: impl FnOnce(Console) -> Console) -> (u8, String, String) {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    if !line.starts_with("list") {
        words.extend(["--project-number", "123456"]);
    }
    console::run_with(runtime, &words, change).await
}

async fn plain(runtime: &Runtime, line: &str) -> (u8, String, String) {
    run(runtime, line, |console| console).await
}

#[tokio::test]
async fn a_plan_is_printed_and_nothing_is_changed_and_its_exit_code_tells_whether_there_is_something_to_do() {
    let cloud = Cloud::new().await;
    let runtime = cloud.runtime().await;

    let (code, out, err) = plain(&runtime, "initialize-subscribers --plan").await;
    let (with_code, ..) = plain(&runtime, "initialize-subscribers --plan --exit-code").await;
    let nothing_made = cloud.all().0.is_empty();
    let (_, json, _) = plain(&runtime, "initialize-subscribers --plan --json").await;
    plain(&runtime, "initialize-subscribers --yes").await;
    let (done, nothing, _) = plain(&runtime, "initialize-subscribers --plan --exit-code").await;

    assert_eq!((code, with_code, done), (0, 2, 0));
    assert!(nothing_made);
    assert!(out.starts_with(
        "To do for https://shop.example: 8 to add, 0 to change, 0 to delete\n[+] topic shop--orders\n"
    ));
    assert!(err.is_empty(), "{err}");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        json["changes"][0],
        json!({"action": "add", "kind": "topic", "name": "shop--orders", "resource": "projects/acme/topics/shop--orders"})
    );
    assert_eq!(nothing, "Nothing to do for https://shop.example\n");
}

#[tokio::test]
async fn yes_does_it_and_prints_what_the_original_library_prints() {
    let cloud = Cloud::new().await;
    let runtime = cloud.runtime().await;

    let (code, out, _) = plain(&runtime, "initialize-tasks --yes").await;
    let (again, second, _) = plain(&runtime, "initialize-tasks --yes").await;

    assert_eq!((code, again), (0, 0));
    assert_eq!(
        out,
        "Successfully initialized 3 subscribers to domain https://shop.example\n[+] Auditor\n[+] Plain\n[+] Unsigned\n\
         Successfully configured 2 queues to domain https://shop.example\n[+] emails\n[+] shop\n\
         Successfully scheduled 1 tasks to domain https://shop.example\n[+] Digest\n\
         Successfully made 5 topics, dead-letter subscriptions and IAM bindings for domain https://shop.example\n\
         [+] topic shop--orders\n\
         [+] topic shop--orders-failed\n\
         [+] dead-letter subscription shop--orders-failed\n\
         [+] IAM binding roles/pubsub.publisher on shop--orders-failed\n\
         [+] IAM binding roles/pubsub.subscriber on shop--Auditor\n"
    );
    assert_eq!(
        second,
        "Successfully initialized 3 subscribers to domain https://shop.example\n\
         Successfully configured 2 queues to domain https://shop.example\n\
         Successfully scheduled 1 tasks to domain https://shop.example\n"
    );
}

#[tokio::test]
async fn without_yes_it_asks_and_where_nobody_is_there_it_says_what_to_write() {
    let cloud = Cloud::new().await;
    let runtime = cloud.runtime().await;
    let line = "initialize-subscribers";

    let (nobody, _, unasked) = plain(&runtime, line).await;
    let (no, _, asked) = run(&runtime, line, |console| console.with_answers(Cursor::new("\n"))).await;
    assert!(cloud.all().0.is_empty());
    let (yes, out, _) = run(&runtime, line, |console| console.with_answers(Cursor::new("y\n"))).await;

    assert_eq!((nobody, no, yes), (1, 1, 0));
    assert!(unasked.ends_with(
        "error: nothing was changed, and nobody can confirm: pass --yes, or --plan to see the changes\n"
    ));
    assert!(asked.ends_with("Do it? [y/N] Nothing was changed.\n"), "{asked}");
    assert!(out.starts_with("Successfully initialized 3 subscribers"), "{out}");
}

#[tokio::test]
async fn a_failure_exits_with_1_and_says_what_was_done_in_text_and_in_json() {
    for (flags, json) in [("--yes", false), ("--yes --json", true)] {
        let cloud = Cloud::new().await;
        let runtime = cloud.runtime().await;
        cloud.fail(
            1,
            "PUT",
            "/subscriptions/shop--Plain",
            refused(403, "PERMISSION_DENIED", "no"),
        );

        let (code, out, err) = plain(&runtime, &format!("initialize-subscribers {flags}")).await;

        assert_eq!(code, 1);
        if json {
            let report: Value = serde_json::from_str(&out).unwrap();
            assert_eq!(report["changes"].as_array().map(Vec::len), Some(5));
            assert_eq!(report["failed"][0]["change"]["name"], "Plain");
            assert_eq!(report["not_tried"].as_array().map(Vec::len), Some(2));
        } else {
            assert!(
                err.starts_with("error: the set-up was not finished: 5 of 8 changes were made"),
                "{err}"
            );
            assert!(err.contains("failed: [+] subscription Plain"), "{err}");
        }
    }
}

#[tokio::test]
async fn leftovers_are_mentioned_and_deleted_with_prune() {
    let cloud = Cloud::new().await;
    let runtime = cloud.runtime().await;
    plain(&runtime, "initialize-subscribers --yes").await;
    let gone = format!("{SUBSCRIPTIONS}/shop--Gone");
    cloud.put(
        &gone,
        json!({"pushConfig": {"pushEndpoint": "https://shop.example/subscriptions/Gone"}}),
    );

    let (_, _, mentioned) = plain(&runtime, "initialize-subscribers --yes").await;
    let there = cloud.get(&gone).is_some();
    let (_, out, _) = plain(&runtime, "initialize-subscribers --yes --prune").await;

    assert!(
        mentioned.starts_with("left as it is, it needs `prune`:\n[-] subscription Gone"),
        "{mentioned}"
    );
    assert!(there && cloud.get(&gone).is_none());
    assert!(out.ends_with("\n[-] Gone\n"), "{out}");
}

#[tokio::test]
async fn what_is_held_back_and_what_does_not_work_is_told_by_the_exit_code_and_asks_nothing() {
    let cloud = Cloud::new().await;
    let runtime = cloud.runtime().await;
    plain(&runtime, "initialize-tasks --yes").await;
    let path = format!("{SUBSCRIPTIONS}/shop--Plain");
    let line = "initialize-tasks --plan --exit-code";

    let (desired, ..) = plain(&runtime, line).await;
    cloud.set(&path, "/state", json!("RESOURCE_ERROR"));
    let (warned, out, _) = plain(&runtime, line).await;
    let (applied, _, err) = plain(&runtime, "initialize-tasks").await;
    cloud.set(&path, "/state", json!("ACTIVE"));
    cloud.set(&path, "/filter", json!("attributes:x"));
    let (held_back, ..) = plain(&runtime, line).await;

    assert_eq!((desired, warned, applied, held_back), (0, 2, 0, 2));
    assert!(out.starts_with(
        "Nothing to change for https://shop.example, but 0 held back and 1 to look at\nwarning: "
    ));
    assert!(
        err.starts_with("warning: ") && err.contains("RESOURCE_ERROR"),
        "{err}"
    );
}

#[tokio::test]
async fn changes_are_coloured_where_there_are_colours() {
    let cloud = Cloud::new().await;
    let runtime = cloud.runtime().await;

    let (_, out, _) = run(&runtime, "initialize-subscribers --plan", |console| {
        console.with_color(true)
    })
    .await;

    assert!(
        out.contains("\u{1b}[32m[+] topic shop--orders\u{1b}[0m\n"),
        "{out:?}"
    );
}

#[tokio::test]
async fn the_list_has_every_registered_task() {
    let cloud = Cloud::new().await;
    let runtime = cloud.runtime().await;

    let (code, out, _) = plain(&runtime, "list").await;
    let (_, json, _) = plain(&runtime, "list --json").await;

    assert_eq!(code, 0);
    assert_eq!(
        out,
        "NAME      KIND        QUEUE   TOPIC         URL\n\
         Auditor   subscriber  -       shop--orders  https://shop.example/subscriptions/Auditor\n\
         Digest    periodic    shop    -             https://shop.example/tasks/Digest\n\
         Placed    publisher   shop    shop--orders  https://shop.example/tasks/Placed\n\
         Plain     subscriber  -       shop--orders  https://shop.example/subscriptions/Plain\n\
         Send      task        emails  -             https://shop.example/tasks/Send\n\
         Unsigned  subscriber  -       shop--orders  https://shop.example/subscriptions/Unsigned\n"
    );
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[4]["name"], "Send");
    assert_eq!(json[4]["queue"], "emails");
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    for line in ["initialize-tasks --plan --yes", "initialize-tasks --exit-code"] {
        assert!(
            console::Args::try_parse_from(format!("shop {line}").split_whitespace()).is_err(),
            "{line}"
        );
    }
}

#[tokio::test]
async fn what_was_made_in_the_place_of_something_else_is_said() {
    let cloud = Cloud::new().await;
    let blocked = "a queue with this name existed recently";
    cloud.fail(1, "POST", "/queues", refused(400, "FAILED_PRECONDITION", blocked));

    let (code, out, err) = plain(&cloud.runtime().await, "initialize-tasks --yes").await;

    assert_eq!(code, 0, "{err}");
    assert!(out.contains("--temp"), "{out}");
    assert!(
        err.contains("note: the queue ") && err.contains("its backup queue "),
        "{err}"
    );
}
