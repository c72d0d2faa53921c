//! What an enqueue makes of an API that refuses it.

use std::sync::Arc;

use cloud_tasks::{Error, ErrorKind};
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::stage::runtime_with;
use crate::support::api::{QUEUES, config, created, google, refused};
use crate::tasks::welcome;

/// Enqueues a task at an API that refuses every one, and gives back the error.
async fn refused_with(http: u16, code: &str, message: &str) -> Error {
    let api = MockServer::start().await;
    Mock::given(any())
        .respond_with(refused(http, code, message))
        // A queue that is gone has a backup queue, which is asked as well.
        .expect(1..=2)
        .mount(&api)
        .await;
    let runtime = runtime_with(config(), google(api.uri())).await;

    welcome().on(&runtime).await.unwrap_err()
}

#[track_caller]
fn assert_refused(error: &Error, parts: &[&str]) {
    assert_eq!(error.kind(), ErrorKind::Rejected, "{error}");
    assert!(!error.may_have_taken_effect(), "{error}");
    let text = format!("{error:#}");
    assert!(
        text.starts_with("task Welcome was not created in queue emails: "),
        "{text}"
    );
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_named_with_the_command_that_makes_it() {
    let error = refused_with(404, "NOT_FOUND", "Requested entity was not found.").await;

    assert_refused(
        &error,
        &[
            "Requested entity was not found.",
            "gcloud tasks queues create projects/acme/locations/europe-west1/queues/emails",
        ],
    );
}

#[tokio::test]
async fn a_queue_that_was_deleted_is_named_with_the_reason() {
    let error = refused_with(400, "FAILED_PRECONDITION", "The queue existed too recently.").await;

    assert_refused(
        &error,
        &[
            "The queue existed too recently.",
            "deleted",
            "projects/acme/locations/europe-west1/queues/emails",
        ],
    );
}

#[tokio::test]
async fn a_caller_without_permission_learns_the_required_roles() {
    let error = refused_with(403, "PERMISSION_DENIED", "The caller lacks a permission.").await;

    assert_refused(
        &error,
        &[
            "The caller lacks a permission.",
            "roles/cloudtasks.enqueuer on projects/acme/locations/europe-west1/queues/emails",
            "roles/iam.serviceAccountUser on tasks@acme.iam.gserviceaccount.com",
        ],
    );
}

#[tokio::test]
async fn refused_credentials_are_named_as_the_reason() {
    let error = refused_with(401, "UNAUTHENTICATED", "Invalid credentials.").await;

    assert_refused(&error, &["Invalid credentials.", "credentials were not accepted"]);
}

#[tokio::test]
async fn a_refused_argument_is_reported_in_the_words_of_the_service() {
    let error = refused_with(400, "INVALID_ARGUMENT", "HttpRequest.url is required.").await;

    assert_refused(&error, &["HttpRequest.url is required."]);
}

#[tokio::test]
async fn a_refusal_keeps_the_clients_error_as_its_source() {
    let error = refused_with(404, "NOT_FOUND", "Requested entity was not found.").await;

    let source = std::error::Error::source(&error).unwrap();
    let cause = source.downcast_ref::<google_cloud_gax::error::Error>().unwrap();
    assert_eq!(cause.http_status_code(), Some(404));
}

#[tokio::test]
async fn a_page_instead_of_an_answer_means_that_nothing_was_created() {
    let api = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(404).set_body_string("<html>Not here</html>"))
        .expect(1)
        .mount(&api)
        .await;
    let runtime = runtime_with(config(), google(api.uri())).await;

    let error = welcome().on(&runtime).await.unwrap_err();

    assert_refused(&error, &["404"]);
}

#[tokio::test]
async fn the_errors_of_many_callers_are_their_own() {
    let api = MockServer::start().await;
    for closed in ["closed", "closed--temp"] {
        Mock::given(path(format!("/v2/{QUEUES}/{closed}/tasks")))
            .respond_with(refused(404, "NOT_FOUND", "Requested entity was not found."))
            .mount(&api)
            .await;
    }
    Mock::given(any()).respond_with(created).mount(&api).await;
    let runtime = Arc::new(runtime_with(config(), google(api.uri())).await);

    let calls = (0..40).map(|number| {
        let queue = if number % 2 == 0 { "open" } else { "closed" };
        welcome().queue(queue).on(&runtime).into_future()
    });
    let outcomes = futures_util::future::join_all(calls).await;

    for (number, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(enqueued) => assert_eq!((number % 2, enqueued.queue()), (0, "open")),
            Err(error) => {
                assert_eq!(number % 2, 1);
                assert!(error.to_string().contains("queues/closed"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn the_remedy_for_a_failed_call_is_named() {
    for (http, code, message, expected) in [
        (
            403,
            "PERMISSION_DENIED",
            "Cloud Tasks API has not been used in project 7 before or it is disabled.",
            "`gcloud services enable cloudtasks.googleapis.com --project acme`",
        ),
        (
            400,
            "FAILED_PRECONDITION",
            "Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.",
            "gcloud tasks queues create projects/acme/locations/europe-west1/queues/emails",
        ),
        (
            302,
            "MOVED",
            "Moved.",
            "CLOUD_TASKS_EMULATOR_HOST, Google::api_endpoint and HTTPS_PROXY",
        ),
    ] {
        let error = refused_with(http, code, message).await;

        assert!(
            format!("{error:#}").contains(expected),
            "{expected} is not in: {error}"
        );
    }
}

#[tokio::test]
async fn text_of_the_cloud_makes_no_line_of_its_own_in_an_error() {
    let error = refused_with(
        400,
        "INVALID_ARGUMENT",
        "no\nERROR forged \u{1b}[2J\u{9b}\u{202e}\u{2028}",
    )
    .await;

    for text in [format!("{error:#}"), format!("{error:?}")] {
        assert!(
            !text.contains(|char: char| char.is_control() || "\u{202e}\u{2028}".contains(char)),
            "{text:?}"
        );
        assert!(text.contains("\\u{a}ERROR forged"), "{text}");
    }
}

#[tokio::test]
async fn a_redirect_is_named_by_the_settings_that_may_lead_to_it() {
    for status in [301, 302, 307, 308] {
        let api = MockServer::start().await;
        Mock::given(path("/login"))
            .respond_with(ResponseTemplate::new(404).set_body_string("<html>Not here</html>"))
            .mount(&api)
            .await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(status).insert_header("location", "/login"))
            .mount(&api)
            .await;
        let runtime = runtime_with(config(), google(api.uri())).await;

        let error = welcome().on(&runtime).await.unwrap_err();

        assert_refused(
            &error,
            &["CLOUD_TASKS_EMULATOR_HOST, Google::api_endpoint and HTTPS_PROXY"],
        );
    }
}
