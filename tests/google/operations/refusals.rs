//! What happens when Cloud Tasks says no, or not now.

use cloud_tasks::Error;
use cloud_tasks::queue::{Queue, QueueExt};
use wiremock::ResponseTemplate;

use super::played::{Played, Send, shown};
use crate::support::api::refused;

const QUEUE_MISSING: &str = "Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.";

async fn list(queue: &Queue) -> Result<usize, Error> {
    let mut tasks = queue.list();
    let mut count = 0;
    while tasks.try_next().await?.is_some() {
        count += 1;
    }
    Ok(count)
}

#[tokio::test]
async fn a_missing_permission_is_reported_with_the_role_that_grants_it() {
    let denied = || refused(403, "PERMISSION_DENIED", "The principal lacks IAM permission");
    let played = Played::with([shown("7", "Send", 0)]).await;
    for (method, path) in [
        ("GET", "/tasks/7"),
        ("GET", "/tasks"),
        ("DELETE", "/tasks/7"),
        ("POST", "/tasks/7:run"),
        ("POST", "/queues/emails:pause"),
        ("GET", "/queues/emails"),
    ] {
        played.fail(1, method, path, denied());
    }
    let queue = played.runtime().await.queue("emails");
    let role = |role| {
        format!(
            "; the caller needs roles/cloudtasks.{role}: `gcloud projects add-iam-policy-binding acme \
             --member=serviceAccount:CALLER --role=roles/cloudtasks.{role}`"
        )
    };
    let full = "; a custom role also needs cloudtasks.tasks.fullView for the arguments";

    let errors = [
        (
            queue.get("7").await.map(drop),
            "task 7 of queue emails was not read: ",
            role("viewer") + full,
        ),
        (
            list(&queue).await.map(drop),
            "the list of queue emails was not read: ",
            role("viewer") + full,
        ),
        (
            queue.cancel("7").await.map(drop),
            "task 7 of queue emails was not deleted: ",
            role("taskDeleter"),
        ),
        (
            queue.run_now("7").await.map(drop),
            "task 7 of queue emails was not sent: ",
            role("taskRunner"),
        ),
        (
            queue.pause().await,
            "queue emails was not paused: ",
            role("queueAdmin"),
        ),
        (
            queue.info().await.map(drop),
            "queue emails was not read: ",
            role("viewer"),
        ),
    ];

    for (outcome, start, end) in errors {
        let error = outcome.unwrap_err();
        let text = format!("{error:#}");
        assert!(error.is_rejected(), "{error:?}");
        assert!(text.starts_with(start) && text.ends_with(&end), "{text}");
    }
    assert_eq!(played.requests().len(), 6);
}

#[tokio::test]
async fn a_disabled_api_is_reported_with_the_command_that_enables_it() {
    let played = Played::with([]).await;
    let off = refused(
        403,
        "PERMISSION_DENIED",
        "Cloud Tasks API has not been used in project acme before",
    );
    played.fail(1, "GET", "/tasks", off);

    let error = list(&played.runtime().await.queue("emails")).await.unwrap_err();

    let help = "; the API is disabled: enable it with `gcloud services enable cloudtasks.googleapis.com --project acme`";
    assert!(error.to_string().contains(help), "{error}");
}

#[tokio::test]
async fn a_queue_that_is_missing_is_an_error_that_names_the_command_which_makes_it() {
    let played = Played::with([shown("7", "Send", 0)]).await;
    for (method, path) in [
        ("GET", "/tasks"),
        ("POST", "/tasks/7:run"),
        ("POST", "/queues/emails:purge"),
        ("GET", "/queues/emails"),
    ] {
        played.fail(1, method, path, refused(404, "NOT_FOUND", QUEUE_MISSING));
    }
    let queue = played.runtime().await.queue("emails");

    for outcome in [
        list(&queue).await.map(drop),
        queue.run_now("7").await.map(drop),
        queue.purge().await,
        queue.info().await.map(drop),
    ] {
        let error = outcome.unwrap_err();
        let help = "`gcloud tasks queues create projects/acme/locations/europe-west1/queues/emails`";
        assert!(
            error.is_rejected() && format!("{error:#}").ends_with(help),
            "{error}"
        );
    }
    assert_eq!(played.ids(), ["7"]);
}

#[tokio::test]
async fn too_many_requests_and_a_service_that_is_away_are_waited_for() {
    let played = Played::with([shown("7", "Send", 0)]).await;
    played.fail(1, "GET", "/tasks/7", refused(429, "RESOURCE_EXHAUSTED", "slower"));
    played.fail(1, "GET", "/tasks", refused(503, "UNAVAILABLE", "later"));
    played.fail(
        1,
        "POST",
        "/tasks/7:run",
        refused(429, "RESOURCE_EXHAUSTED", "slower"),
    );
    played.fail(1, "DELETE", "/tasks/7", ResponseTemplate::new(503));
    played.fail(1, "POST", ":pause", refused(503, "UNAVAILABLE", "later"));
    let queue = played.runtime().await.queue("emails");

    assert!(queue.get("7").await.unwrap().is_some());
    assert_eq!(list(&queue).await.unwrap(), 1);
    assert!(queue.run_now("7").await.unwrap());
    assert!(queue.cancel("7").await.unwrap());
    queue.pause().await.unwrap();

    assert_eq!(played.requests().len(), 10);
}

#[tokio::test]
async fn a_task_whose_sending_got_no_answer_is_not_sent_again() {
    let played = Played::with([shown("7", "Send", 0)]).await;
    played.fail(1, "POST", "/tasks/7:run", refused(503, "UNAVAILABLE", "later"));

    let error = played
        .runtime()
        .await
        .queue("emails")
        .run_now("7")
        .await
        .unwrap_err();

    assert!(error.is_unavailable());
    let start = "task 7 of queue emails may have been sent, but there was no clear response: ";
    assert!(format!("{error:#}").starts_with(start), "{error}");
    assert_eq!(played.requests().len(), 1);
}

#[tokio::test]
async fn a_task_that_is_gone_after_a_delete_without_answer_was_deleted_by_it() {
    let played = Played::with([]).await;
    played.fail(1, "DELETE", "/tasks/7", refused(503, "UNAVAILABLE", "later"));
    let queue = played.runtime().await.queue("emails");

    let after_no_answer = queue.cancel("7").await.unwrap();
    let after_none = queue.cancel("7").await.unwrap();

    assert!(after_no_answer && !after_none);
}

#[tokio::test]
async fn an_unavailable_service_is_given_up_and_the_error_says_what_is_unknown() {
    let played = Played::with([shown("7", "Send", 0)]).await;
    played.fail(
        usize::MAX,
        "DELETE",
        "/tasks/7",
        refused(503, "UNAVAILABLE", "later"),
    );

    let error = played
        .runtime()
        .await
        .queue("emails")
        .cancel("7")
        .await
        .unwrap_err();

    assert!(error.is_unavailable());
    let start = "task 7 of queue emails may have been deleted, but there was no clear response: ";
    assert!(format!("{error:#}").starts_with(start), "{error}");
    assert_eq!(played.requests().len(), 5);
}

#[tokio::test]
async fn names_and_ids_that_could_be_no_names_are_refused_before_any_call() {
    let played = Played::with([]).await;
    let runtime = played.runtime().await;
    let (queue, wrong) = (runtime.queue("emails"), runtime.queue("../slow"));

    for outcome in [
        queue.get("7:run").await.map(drop),
        queue.cancel("../../billing/tasks/7").await.map(drop),
        queue.run_now("").await.map(drop),
        queue.run_here("a b").await.map(drop),
        list(&wrong).await.map(drop),
        wrong.purge().await,
        wrong.delete_tasks().await.map(drop),
        Send::queued_tasks()
            .in_queue("a_b")
            .on(&runtime)
            .cancel("7")
            .await
            .map(drop),
    ] {
        let error = outcome.unwrap_err();
        assert!(error.is_invalid_request(), "{error:?}");
        assert!(error.to_string().starts_with("nothing was done: the "), "{error}");
    }
    assert!(played.requests().is_empty());
}
