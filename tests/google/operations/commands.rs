//! The commands, as a binary that mounts them.

use std::io::Cursor;

use clap::Parser;
use cloud_tasks::Runtime;
use cloud_tasks::cli::Console;
use serde_json::{Value, json};

use super::played::{EMAILS, Played, shown, shown_at};
use crate::support::api::refused;
use crate::support::console;

/// Runs a command line: the exit code, and what went to standard output and to standard error.
async fn run(runtime: &Runtime, line: &str, change: impl FnOnce(Console) -> Console) -> (u8, String, String) {
    let words: Vec<&str> = line.split_whitespace().collect();
    console::run_with(runtime, &words, change).await
}

async fn plain(runtime: &Runtime, line: &str) -> (u8, String, String) {
    run(runtime, line, |console| console).await
}

async fn answering(runtime: &Runtime, line: &str, answer: &'static str) -> (u8, String, String) {
    run(runtime, line, |console| console.with_answers(Cursor::new(answer))).await
}

async fn three() -> Played {
    Played::with([
        shown("a", "Send", 1),
        shown("b", "Send", 5),
        shown_at("c", "https://accounts.example/hook", 12),
    ])
    .await
}

#[tokio::test]
async fn a_list_is_a_table_and_as_json_one_task_a_line_with_its_arguments() {
    let played = three().await;
    let runtime = played.runtime().await;

    let (code, table, _) = plain(&runtime, "tasks list --queue emails").await;
    let views = played.requests();
    let (_, lines, _) = plain(&runtime, "tasks list --queue emails --json").await;

    assert_eq!(code, 0);
    assert_eq!(
        table,
        "ID  TASK                           ATTEMPTS  DUE                   LAST ANSWER\n\
         a   Send                           1         2030-01-02T03:04:05Z  503\n\
         b   Send                           5         2030-01-02T03:04:05Z  503\n\
         c   https://accounts.example/hook  12        2030-01-02T03:04:05Z  503\n"
    );
    assert_eq!(
        views,
        [format!(
            "GET {EMAILS}/tasks?pageSize=1000&pageToken=&responseView=1"
        )]
    );
    let tasks: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(tasks.len(), 3);
    assert_eq!(
        (&tasks[0]["id"], &tasks[0]["body"]),
        (&json!("a"), &json!({"user_id": 7}))
    );
}

#[tokio::test]
async fn a_list_reads_the_queue_of_its_task_and_no_more_than_requested() {
    let played = three().await;
    let runtime = played.runtime().await;
    let ids =
        |table: String| -> Vec<String> { table.lines().skip(1).map(|line| line[..1].to_owned()).collect() };

    let (_, of_task, _) = plain(&runtime, "tasks list --task Send").await;
    let (_, often, _) = plain(&runtime, "tasks list --queue emails --min-attempts 5").await;
    let (_, one, _) = plain(&runtime, "tasks list --queue emails --limit 1").await;
    let (_, none, _) = plain(&runtime, "tasks list --queue emails --task Gone").await;

    assert_eq!(
        (ids(of_task), ids(often)),
        (vec!["a".into(), "b".into()], vec!["b".into(), "c".into()])
    );
    assert_eq!((ids(one), ids(none)), (vec!["a".to_owned()], vec![]));
    assert!(
        played.requests()[2].contains("pageSize=1&"),
        "{:?}",
        played.requests()
    );
}

#[tokio::test]
async fn names_that_came_from_a_queue_cannot_steer_the_terminal() {
    let mut task = shown_at("a", "https://shop.example/tasks/%1B%5B2J", 0);
    task["lastAttempt"]["responseStatus"]["message"] = json!("\u{1b}[31mred\u{202e}");
    task["httpRequest"]["body"] = json!("eyJhIjoKIsKbIn0="); // {"a":\n"\u{9b}"}
    let played = Played::with([task]).await;
    let runtime = played.runtime().await;

    for line in [
        "tasks list --queue emails",
        "tasks list --queue emails --json",
        "tasks get a --queue emails",
    ] {
        let (_, out, _) = plain(&runtime, line).await;
        assert!(
            !out.chars().any(|char| "\u{1b}\u{9b}\u{202e}".contains(char)),
            "{line}: {out:?}"
        );
    }
    let (_, json, _) = plain(&runtime, "tasks list --queue emails --json").await;
    assert_eq!(json.lines().count(), 1);
    assert_eq!(
        serde_json::from_str::<Value>(&json).unwrap()["body"],
        json!({"a": "\u{9b}"})
    );
}

#[tokio::test]
async fn a_task_is_shown_with_its_headers_and_arguments_and_one_that_is_gone_exits_with_1() {
    let played = three().await;
    let runtime = played.runtime().await;

    let (code, out, _) = plain(&runtime, "tasks get b --queue emails").await;
    let (_, json, _) = plain(&runtime, "tasks get b --queue emails --json").await;
    let (gone, nothing, err) = plain(&runtime, "tasks get z --queue emails").await;

    assert_eq!(code, 0);
    let lines: Vec<_> = out.lines().collect();
    for line in [
        "id           b",
        "url          https://shop.example/tasks/Send",
        "attempts     5",
        "last answer  503",
        "header       x-request-id: abc",
        r#"arguments    {"user_id":7}"#,
    ] {
        assert!(lines.contains(&line), "{line} in {out}");
    }
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["attempts"], 5);
    assert_eq!((gone, nothing.as_str()), (1, ""));
    assert!(
        err.starts_with("error: task z not found in queue emails: "),
        "{err}"
    );
}

#[tokio::test]
async fn one_task_is_cancelled_without_a_question_and_several_are_asked_about() {
    let played = three().await;
    let runtime = played.runtime().await;

    let (one, out, _) = plain(&runtime, "tasks cancel a --queue emails").await;
    let (nobody, _, unasked) = plain(&runtime, "tasks cancel b c --queue emails").await;
    let (no, _, asked) = answering(&runtime, "tasks cancel b c --queue emails", "n\n").await;
    let left = played.ids();
    let (yes, both, _) = answering(&runtime, "tasks cancel b c --queue emails", "y\n").await;
    let (gone, _, err) = plain(&runtime, "tasks cancel a b --yes --queue emails").await;

    assert_eq!((one, nobody, no, yes, gone), (0, 1, 1, 0, 1));
    assert_eq!(out, "cancelled a\n");
    assert_eq!(
        unasked,
        "error: nothing was cancelled, and nobody can confirm: pass --yes\n"
    );
    assert_eq!(
        asked,
        "Cancel 2 tasks in queue emails? [y/N] Nothing was cancelled.\n"
    );
    assert_eq!(left, ["b", "c"]);
    assert_eq!(both, "cancelled b\ncancelled c\n");
    assert_eq!(err.matches("not found in queue emails").count(), 2, "{err}");
}

#[tokio::test]
async fn a_failure_of_one_does_not_keep_the_next_from_being_sent() {
    let played = three().await;
    let runtime = played.runtime().await;
    played.fail(1, "POST", "/tasks/a:run", refused(403, "PERMISSION_DENIED", "no"));

    let (code, out, err) = plain(&runtime, "tasks run a b --queue emails").await;

    assert_eq!((code, out.as_str()), (1, "sent b\n"));
    assert!(err.contains("roles/cloudtasks.taskRunner"), "{err}");
}

#[tokio::test]
async fn running_here_prints_the_output_and_exits_with_1_if_the_task_does_not_run() {
    let played = three().await;
    let runtime = played.runtime().await;

    let (code, out, _) = plain(&runtime, "tasks run-here b --queue emails").await;
    let (foreign, _, err) = plain(&runtime, "tasks run-here c --queue emails").await;

    assert_eq!((code, foreign), (0, 1));
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["attempt"], 6);
    assert!(err.contains("did not run here"), "{err}");
    assert_eq!(played.ids().len(), 3);
}

#[tokio::test]
async fn a_deletion_counts_and_asks_and_does_nothing_without_a_yes() {
    let played = three().await;
    let runtime = played.runtime().await;
    let line = "tasks delete --task Send";

    let (nobody, _, unasked) = plain(&runtime, line).await;
    let (no, _, asked) = answering(&runtime, line, "\n").await;
    let left = played.ids().len();
    let (yes, out, _) = answering(&runtime, line, "yes\n").await;
    let (nothing, again, _) = plain(&runtime, line).await;

    assert_eq!((nobody, no, yes, nothing), (1, 1, 0, 0));
    assert_eq!(
        unasked,
        "error: nothing was deleted, and nobody can confirm: pass --yes, or --dry-run to list them\n"
    );
    assert_eq!(
        asked,
        "Delete 2 of 3 tasks in queue emails (Send)? [y/N] Nothing was deleted.\n"
    );
    assert_eq!(left, 3);
    assert_eq!(out, "2 of 3 tasks in queue emails were deleted\n");
    assert_eq!(again, "0 of 1 tasks in queue emails would be deleted\n");
    assert_eq!(played.ids(), ["c"]);
}

#[tokio::test]
async fn a_dry_run_lists_the_tasks_to_delete_and_all_includes_other_services() {
    let played = three().await;
    let runtime = played.runtime().await;

    let (code, out, _) = plain(
        &runtime,
        "tasks delete --all --queue emails --min-attempts 5 --dry-run",
    )
    .await;
    let (_, json, _) = plain(&runtime, "tasks delete --all --queue emails --dry-run --json").await;
    let left = played.ids().len();
    let (_, _, asked) = answering(&runtime, "tasks delete --all --queue emails", "n\n").await;
    let (done, report, _) = plain(&runtime, "tasks delete --all --queue emails --yes --json").await;

    assert_eq!((code, left, done), (0, 3, 0));
    assert_eq!(
        out,
        "[-] b Send after 5 attempts\n[-] c https://accounts.example/hook after 12 attempts\n\
         2 of 3 tasks in queue emails would be deleted\n"
    );
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["deleted"], 3);
    assert!(
        asked.starts_with("Delete 3 of 3 tasks in queue emails (of all services)?"),
        "{asked}"
    );
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (&report["deleted"], &report["dry_run"]),
        (&json!(3), &json!(false))
    );
    assert!(played.ids().is_empty());
}

#[tokio::test]
async fn a_deletion_that_could_not_delete_all_exits_with_1() {
    let played = three().await;
    let runtime = played.runtime().await;
    played.fail(1, "DELETE", "/tasks/a", refused(403, "PERMISSION_DENIED", "no"));

    let (code, out, _) = plain(&runtime, "tasks delete --task Send --yes").await;

    assert_eq!(code, 1);
    assert!(
        out.starts_with("1 of 3 tasks in queue emails were deleted; 1 could not be deleted\na: "),
        "{out}"
    );
}

#[tokio::test]
async fn a_queue_is_shown_paused_resumed_and_purged_after_a_question() {
    let played = three().await;
    let runtime = played.runtime().await;

    let (_, info, _) = plain(&runtime, "queues info emails").await;
    let (_, json, _) = plain(&runtime, "queues info emails --json").await;
    let (_, paused, _) = plain(&runtime, "queues pause emails").await;
    let (_, resumed, _) = plain(&runtime, "queues resume emails").await;
    let (nobody, _, unasked) = plain(&runtime, "queues purge emails").await;
    let (no, _, asked) = answering(&runtime, "queues purge emails", "n\n").await;
    let left = played.ids().len();
    let (yes, purged, _) = plain(&runtime, "queues purge emails --yes").await;

    assert_eq!(
        info,
        "QUEUE   STATE   PER SECOND  AT ONCE  ATTEMPTS\nemails  paused  2.5         10       5\n"
    );
    assert_eq!(
        serde_json::from_str::<Value>(&json).unwrap()["purge_time"],
        "2030-01-01T00:00:00Z"
    );
    assert_eq!(
        (paused.as_str(), resumed.as_str()),
        ("paused emails\n", "resumed emails\n")
    );
    assert_eq!((nobody, no, left, yes), (1, 1, 3, 0));
    assert_eq!(
        unasked,
        "error: nothing was deleted, and nobody can confirm: pass --yes\n"
    );
    assert_eq!(
        asked,
        "Delete 3 tasks in queue emails, of all services? [y/N] Nothing was deleted.\n"
    );
    assert_eq!(purged, "purged emails\n");
    assert!(played.ids().is_empty());
}

#[test]
fn a_deletion_must_name_its_tasks_and_a_dry_run_accepts_no_yes() {
    for line in [
        "tasks delete",
        "tasks delete --task Send --all",
        "tasks delete --all --dry-run --yes",
        "tasks cancel",
        "queues purge",
    ] {
        assert!(
            console::Args::try_parse_from(format!("shop {line}").split_whitespace()).is_err(),
            "{line}"
        );
    }
}
