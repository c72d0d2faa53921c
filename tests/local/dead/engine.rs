//! Through the local engine, which keeps dead tasks itself.

use std::sync::{Arc, Mutex};

use cloud_tasks::{PublisherTask, Runtime, Task};
use serde_json::json;

use super::stage::{Anything, Restock, Stage};

#[tokio::test]
async fn a_task_that_fails_three_times_runs_its_hook_once_is_kept_and_succeeds_when_it_is_replayed() {
    let stage = Stage::set().await;
    let dead = stage.runtime.dead_tasks("dead-charges");

    let id = stage.die(7).await;
    let lived = stage.shop.lines();
    let kept = dead.list().await.unwrap();
    stage.shop.open();
    let report = dead.replay().await.unwrap();
    stage.idle("tasks").await;

    assert_eq!(
        lived,
        [
            "charge 7 attempt 1 in tasks for r1",
            "charge 7 attempt 2 in tasks for r1",
            "charge 7 attempt 3 in tasks for r1",
            "dead 7 after 3: the shop is closed",
        ]
    );
    assert!(kept.unreadable.is_empty());
    let [task] = &kept.tasks[..] else {
        panic!("{kept:?}")
    };
    assert_eq!(
        (task.task(), task.queue(), task.id()),
        ("Charge", Some("tasks"), Some(&*id))
    );
    assert_eq!((task.attempts(), task.error()), (3, "the shop is closed"));
    assert_eq!(
        (task.body(), &*task.headers()["x-request-id"]),
        (&br#"{"invoice":7}"#[..], "r1")
    );
    assert_eq!((report.replayed, report.left.len()), (1, 0));
    assert_eq!(stage.shop.lines(), ["charge 7 attempt 1 in tasks for r1"]);
    assert!(dead.list().await.unwrap().tasks.is_empty());
    stage.strike().await;
}

#[tokio::test]
async fn a_task_that_dies_again_is_kept_again() {
    let stage = Stage::set().await;
    let dead = stage.runtime.dead_tasks("dead-charges");
    let first = stage.die(7).await;

    dead.replay().await.unwrap();
    stage.idle("tasks").await;

    let kept = dead.list().await.unwrap().tasks;
    assert_eq!(kept.len(), 1);
    assert_ne!(kept[0].id(), Some(&*first));
    stage.strike().await;
}

#[tokio::test]
async fn a_queue_gives_up_a_task_which_is_kept_where_the_runtime_says() {
    let stage = Stage::set().await;
    let plan = stage.runtime.setup().only_queues().plan().await.unwrap();
    plan.apply().await.unwrap();

    Restock {}.asap().on(&stage.runtime).await.unwrap();
    stage.idle("few").await;

    assert_eq!(
        stage.shop.lines(),
        [
            "restock attempt 1 in few for nobody",
            "restock attempt 2 in few for nobody"
        ]
    );
    let kept = stage.runtime.dead_tasks("dead-tasks").list().await.unwrap().tasks;
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].task(), kept[0].attempts()), ("Restock", 2));
    stage.strike().await;
}

#[tokio::test]
async fn what_is_no_record_or_of_an_unknown_task_or_refused_stays_and_is_told() {
    let stage = Stage::set().await;
    let dead = stage.runtime.dead_tasks("dead-charges");
    let record = |task: &str, queue: &str| {
        json!({
            "task": task, "queue": queue, "id": "g1", "attempts": 3, "error": "gone", "body": {}, "headers": {},
            "died_at": "2026-01-01T00:00:00Z",
        })
    };
    for message in [
        json!({"some": "event"}),
        record("Gone", "tasks"),
        record("Charge", "no spaces"),
    ] {
        Anything(message).sync().on(&stage.runtime).await.unwrap();
    }

    let report = dead.replay().await.unwrap();
    let kept = dead.list().await.unwrap();

    assert_eq!(report.replayed, 0);
    let left: Vec<_> = report
        .left
        .iter()
        .map(|left| (left.task.as_deref(), &*left.reason))
        .collect();
    assert_eq!(
        left,
        [
            (
                None,
                "not a record of a dead task: missing field `task` at line 1 column 16"
            ),
            (Some("Gone"), "this runtime has no task \"Gone\""),
            (
                Some("Charge"),
                "task Charge was not enqueued: the queue \"no spaces\" is not accepted: 1 to 100 letters, digits and `-`"
            ),
        ]
    );
    assert_eq!((kept.tasks.len(), kept.unreadable.len()), (2, 1));
    stage.strike().await;
}

#[tokio::test]
async fn a_replay_takes_so_many_of_one_name_to_another_queue_and_tells_how_far_it_is() {
    let stage = Stage::set().await;
    for invoice in 1..=3 {
        stage.die(invoice).await;
    }
    stage.shop.lines();
    stage.shop.open();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let dead = stage.runtime.dead_tasks("dead-charges");

    let none = dead.replay().task("Restock").await.unwrap();
    let two = dead
        .replay()
        .task("Charge")
        .limit(2)
        .to_queue("slow")
        .on_progress(move |report| tell.lock().unwrap().push(report.replayed))
        .await
        .unwrap();
    stage.idle("slow").await;

    assert_eq!((none.replayed, none.skipped), (0, 3));
    assert_eq!((two.replayed, two.skipped), (2, 0));
    assert_eq!(*told.lock().unwrap(), [1, 2]);
    let mut lines = stage.shop.lines();
    lines.sort();
    assert_eq!(lines.len(), 2);
    assert!(
        lines.iter().all(|line| line.contains("attempt 1 in slow")),
        "{lines:?}"
    );
    assert_eq!(dead.list().await.unwrap().tasks.len(), 1);
    assert_eq!(dead.list().limit(0).await.unwrap().tasks.len(), 0);
    stage.strike().await;
}

#[tokio::test]
async fn a_topic_that_is_not_known_is_an_error_that_names_those_that_are() {
    let stage = Stage::set().await;

    let error = stage
        .runtime
        .dead_tasks("others")
        .list()
        .await
        .unwrap_err()
        .to_string();

    assert!(error.contains("topics/others"), "{error}");
    assert!(
        error.ends_with("topics/dead-charges, projects/local/topics/dead-tasks"),
        "{error}"
    );
    stage.strike().await;
}

#[tokio::test]
async fn a_runtime_without_pub_sub_says_that_it_reaches_no_dead_tasks() {
    let runtime = Runtime::eager().build().await.unwrap();

    let error = runtime.dead_tasks("dead-charges").replay().await.unwrap_err();
    let error = error.error().to_string();

    assert!(error.starts_with("dead tasks cannot be read"), "{error}");
}

#[tokio::test]
async fn a_replay_by_one_who_gives_up_leaves_what_it_held() {
    let stage = Stage::set().await;
    stage.die(7).await;
    let dead = stage.runtime.dead_tasks("dead-charges");

    // A replay of another name holds the message, and is dropped before it ends.
    let replay = dead.replay().task("Restock").on_progress(|_| panic!("enough"));
    let dropped = tokio::spawn(replay.into_future()).await;

    assert!(dropped.unwrap_err().is_panic());
    assert_eq!(dead.list().await.unwrap().tasks.len(), 1);
    stage.strike().await;
}

#[tokio::test]
async fn a_run_that_cloud_scheduler_makes_is_the_last_only_where_its_schedule_has_no_retries() {
    let stage = Stage::set().await;

    stage.scheduled("Sweep").await;
    let once = stage.shop.lines();
    stage.scheduled("Tidy").await;
    let again = stage.shop.lines();

    assert_eq!(once, ["attempt 1 of Some(1), last true"]);
    assert_eq!(again, ["attempt 1 of Some(3), last false"; 3]);
    let kept = stage.runtime.dead_tasks("dead-tasks").list().await.unwrap().tasks;
    assert_eq!(kept.len(), 1);
    assert_eq!(
        (kept[0].task(), kept[0].queue(), kept[0].id()),
        ("Sweep", None, None)
    );
    assert_eq!(kept[0].headers()["x-cloudscheduler-jobname"], "Sweep");
    stage.strike().await;
}
