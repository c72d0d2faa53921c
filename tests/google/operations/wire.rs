//! What goes to Cloud Tasks, and what is made of its answers.

use std::time::{Duration, SystemTime};

use cloud_tasks::queue::{QueueExt, QueueSettings, QueueState};
use cloud_tasks::{ErrorKind, Runtime};
use futures_util::TryStreamExt;
use serde_json::json;

use super::played::{EMAILS, Placed, Played, Send, shown, shown_at};
use crate::support::api::{config, google, refused};

#[tokio::test]
async fn a_task_is_one_get_with_its_arguments_and_everything_that_is_known_of_it() {
    let played = Played::with([shown("7", "Send", 3)]).await;
    let queue = played.runtime().await.queue("emails");

    let task = queue.get("7").await.unwrap().unwrap();

    assert_eq!(
        played.requests(),
        [format!("GET {EMAILS}/tasks/7?responseView=2")]
    );
    assert_eq!((task.id(), task.queue()), ("7", "emails"));
    assert_eq!(
        (task.task(), task.url()),
        (Some("Send"), "https://shop.example/tasks/Send")
    );
    assert_eq!((task.attempts(), task.responses()), (3, 1));
    let at = |text| Some(humantime::parse_rfc3339(text).unwrap());
    assert_eq!(task.schedule_time(), at("2030-01-02T03:04:05.678901Z"));
    assert_eq!(task.create_time(), at("2030-01-01T00:00:00Z"));
    assert_eq!(task.timeout(), Some(Duration::from_secs(120)));
    assert_eq!(task.headers()["x-request-id"], "abc");
    assert_eq!(task.body(), Some(&br#"{"user_id":7}"#[..]));
    assert_eq!(task.arguments::<Send>().unwrap(), Send { user_id: 7 });
    let last = task.last_attempt().unwrap();
    assert_eq!(
        (last.http_status(), last.response_time),
        (Some(503), at("2030-01-01T00:00:02Z"))
    );
}

#[tokio::test]
async fn its_json_has_the_arguments_as_json_and_its_debug_form_has_neither_them_nor_header_values() {
    let played = Played::with([shown("7", "Send", 3)]).await;
    let queue = played.runtime().await.queue("emails");

    let task = queue.get("7").await.unwrap().unwrap();

    assert_eq!(
        serde_json::to_value(&task).unwrap(),
        json!({
            "id": "7",
            "queue": "emails",
            "task": "Send",
            "url": "https://shop.example/tasks/Send",
            "attempts": 3,
            "responses": 1,
            "schedule_time": "2030-01-02T03:04:05.678901Z",
            "create_time": "2030-01-01T00:00:00Z",
            "timeout_seconds": 120.0,
            "last_attempt": {
                "dispatch_time": "2030-01-01T00:00:01Z",
                "response_time": "2030-01-01T00:00:02Z",
                "status": "UNAVAILABLE(14): HTTP status code 503",
            },
            "headers": {"x-request-id": "abc", "user-agent": "Google-Cloud-Tasks"},
            "body": {"user_id": 7},
        })
    );
    let text = format!("{task:?}");
    assert!(
        text.contains("x-request-id") && text.contains("body_bytes: Some(13)"),
        "{text}"
    );
    assert!(!text.contains("abc") && !text.contains("user_id"), "{text}");
}

#[tokio::test]
async fn a_missing_task_is_none_for_get_false_for_delete_and_an_error_for_run_here() {
    let played = Played::with([]).await;
    let queue = played.runtime().await.queue("emails");

    assert!(queue.get("gone").await.unwrap().is_none());
    assert!(!queue.cancel("gone").await.unwrap());
    assert!(!queue.run_now("gone").await.unwrap());
    let error = queue.run_here("gone").await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::NotQueued);
    assert_eq!(
        error.to_string(),
        "task gone not found in queue emails: it may have completed, been deleted or never existed"
    );
}

#[tokio::test]
async fn a_list_is_asked_for_page_by_page_and_only_as_it_is_read() {
    let played = Played::with(["a", "b", "c", "d", "e"].map(|id| shown(id, "Send", 0))).await;
    played.pages_of(2);
    let queue = played.runtime().await.queue("emails");

    let mut tasks = queue.list();
    let before = played.requests().len();
    let first = tasks.try_next().await.unwrap().unwrap();
    tasks.try_next().await.unwrap();
    let after_two = played.requests().len();
    let rest: Vec<_> = tasks
        .map_ok(|task| task.id().to_owned())
        .try_collect()
        .await
        .unwrap();

    assert_eq!((before, after_two), (0, 1));
    assert_eq!(first.arguments::<Send>().unwrap().user_id, 7);
    assert_eq!(rest, ["c", "d", "e"]);
    let page = |token| format!("GET {EMAILS}/tasks?pageSize=100&pageToken={token}&responseView=2");
    assert_eq!(played.requests(), [page(""), page("b"), page("d")]);
}

#[tokio::test]
async fn a_list_without_arguments_requests_the_basic_view_and_its_errors_say_so() {
    let played = Played::with([shown("7", "Send", 0)]).await;
    let queue = played.runtime().await.queue("emails");

    let task = queue
        .list()
        .without_arguments()
        .try_next()
        .await
        .unwrap()
        .unwrap();

    assert_eq!(
        played.requests(),
        [format!(
            "GET {EMAILS}/tasks?pageSize=1000&pageToken=&responseView=1"
        )]
    );
    assert_eq!(task.body(), None);
    let error = task.arguments::<Send>().unwrap_err();
    assert!(error.is_invalid_request());
    assert!(
        error.to_string().contains("listed without its arguments"),
        "{error}"
    );
}

#[tokio::test]
async fn a_list_is_narrowed_to_a_name_of_this_service_and_to_many_attempts() {
    let played = Played::with([
        shown("alias", "OldSend", 9),
        shown("few", "Send", 4),
        shown("many", "Send", 5),
        shown("other", "Charge", 9),
        shown_at("theirs", "https://accounts.example/tasks/Send", 9),
    ])
    .await;
    let queue = played.runtime().await.queue("emails");

    let tasks = queue.list().task("Send").at_least_attempts(5);
    let ids: Vec<_> = tasks
        .map_ok(|task| task.id().to_owned())
        .try_collect()
        .await
        .unwrap();
    let unregistered = queue.list().task("Charge");
    let gone: Vec<_> = unregistered
        .map_ok(|task| task.id().to_owned())
        .try_collect()
        .await
        .unwrap();

    assert_eq!(
        (ids, gone),
        (vec!["alias".into(), "many".into()], vec!["other".to_owned()])
    );
}

#[tokio::test]
async fn cancel_and_run_now_are_one_call_each() {
    let played = Played::with([shown("7", "Send", 0)]).await;
    let queue = played.runtime().await.queue("emails");

    assert!(queue.run_now("7").await.unwrap());
    assert!(queue.cancel("7").await.unwrap());

    assert_eq!(
        played.requests(),
        [
            format!("POST {EMAILS}/tasks/7:run {{}}"),
            format!("DELETE {EMAILS}/tasks/7")
        ]
    );
    assert!(played.ids().is_empty());
}

#[tokio::test]
async fn a_queue_is_paused_resumed_purged_and_shown() {
    let played = Played::with([shown("7", "Send", 0)]).await;
    let queue = played.runtime().await.queue("emails");

    queue.pause().await.unwrap();
    queue.resume().await.unwrap();
    queue.purge().await.unwrap();
    let info = queue.info().await.unwrap();

    assert_eq!(
        played.requests(),
        [
            format!("POST {EMAILS}:pause {{}}"),
            format!("POST {EMAILS}:resume {{}}"),
            format!("POST {EMAILS}:purge {{}}"),
            format!("GET {EMAILS}"),
        ]
    );
    assert_eq!((info.name.as_str(), info.state), ("emails", QueueState::Paused));
    assert_eq!(info.max_dispatches_per_second, Some(2.5));
    assert_eq!(
        (info.max_concurrent_dispatches, info.max_attempts),
        (Some(10), Some(5))
    );
    assert!(info.purge_time.unwrap() > SystemTime::UNIX_EPOCH);
}

#[tokio::test]
async fn running_here_gives_the_task_the_metadata_of_its_next_attempt() {
    let played = Played::with([shown("7", "OldSend", 3)]).await;
    let runtime = Runtime::builder()
        .config(config())
        .google(google(played.url()))
        .queue(QueueSettings::new("emails").with_max_attempts(20))
        .build()
        .await
        .unwrap();
    let told = json!({
        "user_id": 7,
        "attempt": 4,
        "execution_count": 1,
        "previous_response": 503,
        "max_attempts": 20,
        "queue": "emails",
        "id": "7",
        "eta": "2030-01-02T03:04:05.678Z",
        "request": "abc",
    });

    let output = runtime.queue("emails").run_here("7").await.unwrap();
    let typed = Send::queued_tasks().on(&runtime).run_here("7").await.unwrap();

    assert_eq!((&output, &typed), (&told, &told));
    assert_eq!(played.ids(), ["7"]);
}

#[tokio::test]
async fn a_task_of_another_service_runs_here_only_on_request() {
    let played = Played::with([
        shown_at("remote", "https://shop.internal/jobs/tasks/Send", 0),
        shown_at("foreign", "https://shop.example/hooks/7", 0),
        shown("unknown", "Charge", 0),
    ])
    .await;
    let runtime = played.runtime().await;
    let queue = runtime.queue("emails");

    let sends = Send::queued_tasks().on(&runtime);
    let elsewhere = [
        queue.run_here("remote").await.map(drop).unwrap_err(),
        sends.run_here("remote").await.map(drop).unwrap_err(),
    ];
    let ran = queue.run_here_of_any_service("remote").await.unwrap();
    let typed_ran = sends.run_here_of_any_service("remote").await.unwrap();
    let hook = queue.run_here_of_any_service("foreign").await.unwrap_err();
    let foreign = queue.run_here("foreign").await.unwrap_err();
    let unknown = queue.run_here("unknown").await.unwrap_err();
    let typed = Send::queued_tasks()
        .on(&runtime)
        .run_here("unknown")
        .await
        .unwrap_err();

    for error in elsewhere {
        assert_eq!(error.kind(), ErrorKind::NotQueued);
        assert!(
            error
                .to_string()
                .contains("https://shop.internal/jobs/tasks/Send"),
            "{error}"
        );
    }
    assert_eq!((&ran["user_id"], &typed_ran["user_id"]), (&json!(7), &json!(7)));
    assert_eq!(hook.kind(), ErrorKind::NotQueued);
    assert_eq!(
        (foreign.kind(), typed.kind()),
        (ErrorKind::NotQueued, ErrorKind::NotQueued)
    );
    assert!(
        foreign.to_string().contains("https://shop.example/hooks/7"),
        "{foreign}"
    );
    assert_eq!(unknown.kind(), ErrorKind::UnknownTask);
}

#[tokio::test]
async fn a_type_sees_its_own_tasks_and_leaves_those_of_others_alone() {
    let theirs = "https://accounts.example/tasks/Send";
    let played = Played::with([
        shown("alias", "OldSend", 0),
        shown("other", "Placed", 0),
        shown("own", "Send", 0),
        shown_at("theirs", theirs, 0),
        shown_at("theirs-too", "https://shop.example/tasks/Send?x=1", 0),
    ])
    .await;
    let runtime = played.runtime().await;
    let sends = Send::queued_tasks().on(&runtime);

    for id in ["other", "theirs", "theirs-too"] {
        assert!(sends.get(id).await.unwrap().is_none());
        assert!(!sends.cancel(id).await.unwrap());
        assert!(!sends.run_now(id).await.unwrap());
    }
    assert!(sends.get("own").await.unwrap().is_some());
    assert!(sends.run_now("alias").await.unwrap());
    let listed: Vec<_> = sends
        .list()
        .map_ok(|task| task.id().to_owned())
        .try_collect()
        .await
        .unwrap();
    assert!(sends.cancel("own").await.unwrap());
    let report = sends.delete_tasks().await.unwrap();
    let events = Placed::queued_tasks()
        .on(&runtime)
        .delete_tasks()
        .dry_run()
        .await
        .unwrap();

    assert_eq!(listed, ["alias", "own"]);
    assert_eq!((report.scanned, report.deleted), (4, 1));
    assert_eq!(events.deleted, 1);
    assert_eq!(played.ids(), ["other", "theirs", "theirs-too"]);
    let posts: Vec<_> = played
        .requests()
        .into_iter()
        .filter(|request| request.starts_with("POST"))
        .collect();
    assert_eq!(posts, [format!("POST {EMAILS}/tasks/alias:run {{}}")]);
}

#[tokio::test]
async fn a_type_looks_in_the_queue_that_is_named() {
    let played = Played::with([]).await;
    let runtime = played.runtime().await;
    played.fail(
        1,
        "GET",
        "/queues/slow/tasks/7",
        refused(404, "NOT_FOUND", "Requested entity was not found."),
    );

    assert!(
        Send::queued_tasks()
            .in_queue("slow")
            .on(&runtime)
            .get("7")
            .await
            .unwrap()
            .is_none()
    );

    let slow = EMAILS.replace("emails", "slow");
    assert_eq!(played.requests(), [format!("GET {slow}/tasks/7?responseView=2")]);
}
