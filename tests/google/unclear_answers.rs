//! Connections that break, and answers that say nothing.

use std::time::Duration;

use cloud_tasks::backend::RetrySettings;
use cloud_tasks::{Config, ErrorKind, PublisherTask, Runtime, task};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::retries::{AT_ONCE, BRIEFLY, end_of, runtime};
use crate::support::api::{QUEUES, google};
use crate::support::peer::{Act, Nobody, Peer};
use crate::tasks::welcome;

pub(crate) fn created_by_hand() -> Act {
    Act::answer(
        200,
        &json!({"name": format!("{QUEUES}/emails/tasks/by-hand")}).to_string(),
    )
}

pub(crate) fn exists_by_hand() -> Act {
    let error = json!({"error": {"code": 409, "message": "exists", "status": "ALREADY_EXISTS"}});
    Act::answer(409, &error.to_string())
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_open_whether_the_task_exists() {
    let peer = Peer::start([Act::Reset]).await;
    let runtime = runtime(google(peer.url()), RetrySettings::off()).await;

    let error = welcome().on(&runtime).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.may_have_taken_effect(), "{error}");
    assert_eq!(peer.bodies().len(), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_repeated_with_the_same_name() {
    let peer = Peer::start([Act::Reset, exists_by_hand()]).await;
    let runtime = runtime(google(peer.url()), AT_ONCE).await;

    let enqueued = welcome().on(&runtime).await.unwrap();

    assert!(!enqueued.duplicate());
    let bodies = peer.bodies();
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn a_peer_that_never_answers_is_given_up_after_the_time_of_an_attempt() {
    let peer = Peer::start([Act::Nothing]).await;
    let google = google(peer.url()).attempt_timeout(Duration::from_millis(50));
    let runtime = runtime(google, RetrySettings::off()).await;

    let error = end_of(welcome().on(&runtime)).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.may_have_taken_effect(), "{error}");
}

#[tokio::test]
async fn a_peer_that_never_answers_is_asked_again_until_the_deadline() {
    let peer = Peer::start([Act::Nothing]).await;
    let google = google(peer.url()).attempt_timeout(Duration::from_millis(50));
    let retry = RetrySettings {
        deadline: Duration::from_millis(200),
        ..AT_ONCE
    };
    let runtime = runtime(google, retry).await;

    let error = end_of(welcome().on(&runtime)).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.may_have_taken_effect(), "{error}");
}

#[tokio::test]
async fn a_peer_where_nobody_listens_created_nothing() {
    let nobody = Nobody::take();
    let runtime = runtime(google(nobody.url()), BRIEFLY).await;

    let error = end_of(welcome().on(&runtime)).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!error.may_have_taken_effect(), "{error}");
    assert!(
        format!("{error:#}").starts_with("task Welcome was not created in queue emails: "),
        "{error}"
    );
}

/// Is published to an emulator.
#[derive(Deserialize, Serialize)]
struct Said;

#[task(topic = "said")]
impl PublisherTask for Said {}

#[tokio::test]
async fn a_refused_connection_to_an_emulator_names_its_variable() {
    let (tasks, messages) = (Nobody::take(), Nobody::take());
    let host = |nobody: &Nobody| nobody.url().trim_start_matches("http://").to_owned();
    let config = Config::default()
        .with_endpoint("https://shop.example")
        .with_cloud_tasks_emulator_host(host(&tasks))
        .with_pubsub_emulator_host(host(&messages))
        .with_enqueue_retry(RetrySettings::off());
    let runtime = Runtime::builder().config(config).build().await.unwrap();
    let queue = runtime.queue("emails");

    // At once, since some are repeated for seconds.
    let setup = runtime.setup().only_subscribers();
    let (enqueued, got, paused, published, listed, planned) = tokio::join!(
        welcome().on(&runtime).into_future(),
        queue.get("a"),
        queue.pause(),
        Said.sync().on(&runtime).into_future(),
        runtime.dead_tasks("dead").list().into_future(),
        setup.plan(),
    );

    for (what, variable, result) in [
        ("an enqueue", "CLOUD_TASKS_EMULATOR_HOST", enqueued.map(drop)),
        ("a task", "CLOUD_TASKS_EMULATOR_HOST", got.map(drop)),
        ("a pause", "CLOUD_TASKS_EMULATOR_HOST", paused),
        ("a message", "PUBSUB_EMULATOR_HOST", published.map(drop)),
        ("dead tasks", "PUBSUB_EMULATOR_HOST", listed.map(drop)),
        ("a plan", "PUBSUB_EMULATOR_HOST", planned.map(drop)),
    ] {
        let error = result.unwrap_err();
        assert!(error.to_string().contains(variable), "{what}: {error:#}");
        assert!(!error.may_have_taken_effect(), "{what}: {error:#}");
    }
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let peer = Peer::start([Act::half_an_answer(), exists_by_hand()]).await;
    let runtime = runtime(google(peer.url()), AT_ONCE).await;

    let enqueued = welcome().on(&runtime).await.unwrap();

    assert!(!enqueued.duplicate());
    assert_eq!(peer.bodies().len(), 2);
}

/// Answers with the status of a success that are no task.
const UNREADABLE: [&str; 5] = [
    "<html>Welcome to the hotel</html>",
    "",
    "[]",
    "{\"name\": 7}",
    "{\"name\": \"proj",
];

/// The id is ours: a repeat creates no second task.
#[tokio::test]
async fn an_answer_that_is_not_understood_is_repeated_with_the_same_name() {
    for body in UNREADABLE {
        for status in [200, 201, 202] {
            let unreadable = Act::answer(status, body);
            let peer = Peer::start([unreadable.clone(), unreadable, exists_by_hand()]).await;
            let runtime = runtime(google(peer.url()), AT_ONCE).await;

            let enqueued = welcome().task_id("welcome-7").on(&runtime).await.unwrap();

            assert!(!enqueued.duplicate(), "{status} {body}");
            let bodies = peer.bodies();
            assert_eq!(bodies.len(), 3, "{status} {body}");
            assert!(bodies.iter().all(|sent| *sent == bodies[0]), "{status} {body}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_never_understood_leaves_open_whether_the_task_exists() {
    for body in UNREADABLE {
        let peer = Peer::start([Act::answer(200, body)]).await;
        let runtime = runtime(google(peer.url()), BRIEFLY).await;

        let error = end_of(welcome().on(&runtime)).await.unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Unavailable, "{body}: {error}");
        assert!(error.may_have_taken_effect(), "{body}: {error}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_understood_leaves_open_whether_the_task_exists() {
    for body in UNREADABLE {
        let peer = Peer::start([Act::answer(200, body)]).await;
        let runtime = runtime(google(peer.url()), RetrySettings::off()).await;

        let error = welcome().on(&runtime).await.unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Unavailable, "{body}: {error}");
        assert!(error.may_have_taken_effect(), "{body}: {error}");
    }
}

#[tokio::test]
async fn a_receipt_has_the_id_that_was_sent_if_the_answer_has_none() {
    let peer = Peer::start([Act::answer(200, "{}")]).await;
    let runtime = runtime(google(peer.url()), AT_ONCE).await;

    let enqueued = welcome().task_id("welcome-7").on(&runtime).await.unwrap();

    assert_eq!(enqueued.id(), "welcome-7");
}

#[tokio::test]
async fn a_peer_that_closes_every_connection_is_called_on_new_ones() {
    let peer = Peer::start([created_by_hand()]).await;
    let runtime = runtime(google(peer.url()), RetrySettings::off()).await;

    for _ in 0..5 {
        let enqueued = welcome().on(&runtime).await.unwrap();
        assert_eq!(enqueued.id(), "by-hand");
    }

    assert_eq!(peer.bodies().len(), 5);
}
