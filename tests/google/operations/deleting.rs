//! Deleting many tasks at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::any;
use cloud_tasks::Runtime;
use cloud_tasks::queue::QueueExt;
use http::Method;
use serde_json::{Value, json};

use super::played::{EMAILS, Played, Send, shown, shown_at};
use crate::support::api::{config, google, refused};
use crate::support::server::Port;

#[tokio::test]
async fn those_with_many_attempts_go_and_the_rest_stays_and_no_arguments_are_fetched() {
    let played = Played::with([
        shown("a", "Send", 4),
        shown("b", "Send", 5),
        shown_at("c", "https://accounts.example/tasks/Send", 6),
    ])
    .await;
    let queue = played.runtime().await.queue("emails");

    let report = queue.delete_tasks().at_least_attempts(5).await.unwrap();

    assert_eq!((report.scanned, report.deleted, report.failed), (3, 2, 0));
    assert_eq!(report.to_string(), "2 of 3 tasks in queue emails were deleted");
    assert_eq!(played.ids(), ["a"]);
    let list = format!("GET {EMAILS}/tasks?pageSize=1000&pageToken=&responseView=1");
    assert_eq!(played.requests()[0], list);
    assert_eq!((played.requests_of("GET"), played.requests_of("DELETE")), (1, 2));
}

#[tokio::test]
async fn a_dry_run_deletes_nothing_and_reports_every_task() {
    let played = Played::with(["a", "b", "c"].map(|id| shown(id, "Send", 1))).await;
    played.pages_of(2);
    let told = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&told);
    let runtime = played.runtime().await;

    let report = Send::queued_tasks()
        .on(&runtime)
        .delete_tasks()
        .dry_run()
        .on_task(move |task| kept.lock().unwrap().push(task.id().to_owned()))
        .await
        .unwrap();

    assert!(report.dry_run);
    assert_eq!(
        report.to_string(),
        "3 of 3 tasks in queue emails would be deleted"
    );
    assert_eq!(*told.lock().unwrap(), ["a", "b", "c"]);
    assert_eq!((played.requests_of("GET"), played.requests().len()), (2, 2));
    assert_eq!(played.ids().len(), 3);
}

#[tokio::test]
async fn a_missing_task_and_a_failed_deletion_are_reported_and_do_not_stop_the_rest() {
    let played = Played::with(["a", "b", "c", "d"].map(|id| shown(id, "Send", 1))).await;
    played.fail(
        1,
        "DELETE",
        "/tasks/b",
        refused(404, "NOT_FOUND", "Requested entity was not found."),
    );
    played.fail(1, "DELETE", "/tasks/c", refused(403, "PERMISSION_DENIED", "no"));
    let queue = played.runtime().await.queue("emails");

    let report = queue.delete_tasks().await.unwrap();

    assert_eq!((report.deleted, report.gone, report.failed), (2, 1, 1));
    assert_eq!(report.failures[0].id, "c");
    let text = report.to_string();
    assert!(
        text.starts_with(
            "2 of 4 tasks in queue emails were deleted; 1 were gone already; 1 could not be deleted\nc: task c of queue \
             emails was not deleted: "
        ),
        "{text}"
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        (&json["failed"], &json["failures"][0]["id"]),
        (&json!(1), &json!("c"))
    );
    assert!(
        json["failures"][0]["error"]
            .as_str()
            .unwrap()
            .contains("taskDeleter"),
        "{json}"
    );
}

#[tokio::test]
async fn of_many_failures_the_first_hundred_are_kept_and_all_are_counted() {
    let played = Played::with((0..103).map(|id| shown(&format!("{id:03}"), "Send", 1))).await;
    for id in 0..103 {
        let path = format!("/tasks/{id:03}");
        played.fail(1, "DELETE", &path, refused(403, "PERMISSION_DENIED", "no"));
    }
    let queue = played.runtime().await.queue("emails");

    let report = queue.delete_tasks().await.unwrap();

    assert_eq!((report.failed, report.failures.len()), (103, 100));
    assert!(report.to_string().ends_with("\nand 3 more"), "{report}");
    assert_eq!(played.ids().len(), 103);
}

#[tokio::test]
async fn a_list_that_breaks_off_says_how_many_were_deleted_by_then() {
    let played = Played::with(["a", "b", "c"].map(|id| shown(id, "Send", 1))).await;
    played.pages_of(2);
    let queue = played.runtime().await.queue("emails");
    let denied = played.clone();

    let error = queue
        .delete_tasks()
        .on_task(move |task| {
            if task.id() == "b" {
                denied.fail(1, "GET", "/tasks", refused(403, "PERMISSION_DENIED", "no"));
            }
        })
        .await
        .unwrap_err();

    assert!(error.is_rejected());
    assert_eq!(
        error.to_string(),
        "the deletion was not finished: 2 of 2 tasks in queue emails were deleted, then listing failed"
    );
    assert!(
        format!("{error:#}").contains("roles/cloudtasks.viewer"),
        "{error:#}"
    );
    assert_eq!(played.ids(), ["c"]);
}

#[tokio::test]
async fn progress_is_reported_after_every_task_and_every_page() {
    let played = Played::with(["a", "b", "c"].map(|id| shown(id, "Send", 1))).await;
    played.pages_of(2);
    let told = Arc::<Mutex<Vec<(u64, u64)>>>::default();
    let kept = Arc::clone(&told);
    let queue = played.runtime().await.queue("emails");

    let report = queue
        .delete_tasks()
        .on_progress(move |report| kept.lock().unwrap().push((report.scanned, report.deleted)))
        .await
        .unwrap();

    assert_eq!(report.deleted, 3);
    assert_eq!(*told.lock().unwrap(), [(2, 1), (2, 2), (2, 2), (3, 3), (3, 3)]);
}

/// How many calls are under way, and the most that ever were.
#[derive(Clone, Default)]
struct Busy {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

async fn count(State(busy): State<Busy>, method: Method) -> Response {
    if method == Method::GET {
        let tasks: Vec<_> = (0..100).map(|id| shown(&id.to_string(), "Send", 0)).collect();
        return Json(json!({"tasks": tasks})).into_response();
    }
    let now = busy.now.fetch_add(1, Ordering::SeqCst) + 1;
    busy.most.fetch_max(now, Ordering::SeqCst);
    // Long enough for others to come, as many as do.
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    busy.now.fetch_sub(1, Ordering::SeqCst);
    Json(Value::Object(serde_json::Map::new())).into_response()
}

/// Deletes a hundred tasks; the most calls that were under way at once.
async fn most_at_once(concurrency: usize, in_flight: usize) -> usize {
    let busy = Busy::default();
    let port = Port::open().await;
    let url = port.url().to_owned();
    let app = Router::new().fallback(any(count)).with_state(busy.clone());
    let _server = port.serve(app);
    let runtime = Runtime::builder()
        .config(config())
        .google(google(&url).calls_in_flight(in_flight))
        .build()
        .await
        .unwrap();

    let delete = runtime.queue("emails").delete_tasks().concurrency(concurrency);
    let report = delete.await.unwrap();

    assert_eq!(report.deleted, 100);
    busy.most.load(Ordering::SeqCst)
}

#[tokio::test]
async fn tasks_are_deleted_side_by_side_and_never_more_at_once_than_is_said() {
    let eight = most_at_once(8, 64).await;
    let one = most_at_once(0, 64).await;
    let shared = most_at_once(16, 3).await;

    assert!((2..=8).contains(&eight), "{eight}");
    assert_eq!(one, 1);
    assert!((2..=3).contains(&shared), "{shared}");
}
