//! The tasks of a queue that is gone go to its backup queue.

use std::time::Duration;

use cloud_tasks::backend::RetrySettings;
use cloud_tasks::task::{Enqueue, Enqueued};
use cloud_tasks::{Config, Error, ErrorKind, Runtime};
use serde_json::json;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::api::{QUEUES, config, created, google, refused, sent};
use crate::tasks::welcome;

const BLOCKED: &str = "The queue cannot be created because a queue with this name existed too recently.";
const GONE: &str = "Queue does not exist. If you just created the queue, wait at least a minute for the queue to initialize.";

fn blocked() -> ResponseTemplate {
    refused(400, "FAILED_PRECONDITION", BLOCKED)
}

fn gone() -> ResponseTemplate {
    refused(404, "NOT_FOUND", GONE)
}

fn unavailable() -> ResponseTemplate {
    refused(503, "UNAVAILABLE", "The service is unavailable.")
}

fn exists() -> ResponseTemplate {
    refused(409, "ALREADY_EXISTS", "Requested entity already exists")
}

/// A Cloud Tasks in which some queues are not as they should be; in all others tasks are created.
struct Cloud(MockServer);

impl Cloud {
    async fn new() -> Self {
        Self(MockServer::start().await)
    }

    /// Answers creates of tasks in this queue in turn; the last answer stays.
    async fn queue(self, queue: &str, answers: impl IntoIterator<Item = ResponseTemplate>) -> Self {
        self.at(&format!("{QUEUES}/{queue}/tasks"), answers).await
    }

    /// Answers creates of queues.
    async fn queues(self, answer: ResponseTemplate) -> Self {
        self.at(QUEUES, [answer]).await
    }

    async fn at(self, resource: &str, answers: impl IntoIterator<Item = ResponseTemplate>) -> Self {
        let mut answers: Vec<_> = answers.into_iter().collect();
        let last = answers.pop().unwrap();
        for answer in answers {
            let mock = Mock::given(path(format!("/v2/{resource}"))).respond_with(answer);
            mock.up_to_n_times(1).mount(&self.0).await;
        }
        Mock::given(path(format!("/v2/{resource}")))
            .respond_with(last)
            .mount(&self.0)
            .await;
        self
    }

    async fn takes(self, queue: &str) -> Self {
        Mock::given(path(format!("/v2/{QUEUES}/{queue}/tasks")))
            .respond_with(created)
            .mount(&self.0)
            .await;
        self
    }

    async fn enqueue_with(&self, config: Config, enqueue: Enqueue) -> Result<Enqueued, Error> {
        let at_once = RetrySettings {
            initial: Duration::from_millis(1),
            maximum: Duration::from_millis(1),
            ..RetrySettings::default()
        };
        let runtime = Runtime::builder()
            .config(config.with_enqueue_retry(at_once))
            .google(google(self.0.uri()))
            .build()
            .await
            .unwrap();
        enqueue.on(&runtime).await
    }

    async fn enqueue(&self, enqueue: Enqueue) -> Result<Enqueued, Error> {
        self.enqueue_with(config(), enqueue).await
    }

    /// What was asked for, in order: the name of a task, or that of a queue.
    async fn asked(&self) -> Vec<String> {
        let requests = self.0.received_requests().await.unwrap();
        let name = |request: &wiremock::Request| {
            let body = sent(request);
            let name = body["task"]["name"].as_str().or(body["name"].as_str()).unwrap();
            name.trim_start_matches(QUEUES).trim_start_matches('/').to_owned()
        };
        requests.iter().map(name).collect()
    }
}

#[tokio::test]
async fn a_task_of_a_blocked_queue_is_created_in_its_backup_queue_and_the_receipt_says_so() {
    let cloud = Cloud::new()
        .await
        .queue("emails", [blocked()])
        .await
        .takes("emails--temp")
        .await;

    let enqueued = cloud.enqueue(welcome().task_id("w-7")).await.unwrap();

    assert_eq!(
        (enqueued.queue(), enqueued.id(), enqueued.duplicate()),
        ("emails--temp", "w-7", false)
    );
    assert_eq!(
        cloud.asked().await,
        ["emails/tasks/w-7", "emails--temp/tasks/w-7"]
    );
    let requests = cloud.0.received_requests().await.unwrap();
    let [first, second] =
        [&requests[0], &requests[1]].map(|request| sent(request)["task"]["httpRequest"].clone());
    assert_eq!(first, second);
}

#[tokio::test]
async fn the_backup_is_that_of_the_queue_that_the_call_named() {
    let cloud = Cloud::new()
        .await
        .queue("slow", [blocked()])
        .await
        .takes("slow--temp")
        .await;

    let enqueued = cloud.enqueue(welcome().queue("slow")).await.unwrap();

    assert_eq!(enqueued.queue(), "slow--temp");
    assert_eq!(
        cloud.asked().await,
        [
            format!("slow/tasks/{}", enqueued.id()),
            format!("slow--temp/tasks/{}", enqueued.id())
        ]
    );
}

#[tokio::test]
async fn the_settings_name_one_backup_queue_for_all_or_another_delimiter() {
    for (config, backup) in [
        (config().with_backup_queue_name("spare"), "spare"),
        (config().with_delimiter("-x-"), "emails-x-temp"),
    ] {
        let cloud = Cloud::new()
            .await
            .queue("emails", [blocked()])
            .await
            .takes(backup)
            .await;

        let enqueued = cloud.enqueue_with(config, welcome()).await.unwrap();

        assert_eq!(enqueued.queue(), backup);
    }
}

#[tokio::test]
async fn a_backup_queue_that_is_missing_is_made_and_tried_once_more() {
    for answer in [
        ResponseTemplate::new(200).set_body_json(json!({"name": format!("{QUEUES}/emails--temp")})),
        // Somebody else was quicker.
        refused(409, "ALREADY_EXISTS", "Queue already exists"),
    ] {
        let cloud = Cloud::new()
            .await
            .queue("emails", [blocked()])
            .await
            .queues(answer)
            .await;
        Mock::given(path(format!("/v2/{QUEUES}/emails--temp/tasks")))
            .respond_with(gone())
            .up_to_n_times(1)
            .mount(&cloud.0)
            .await;
        let cloud = cloud.takes("emails--temp").await;

        let enqueued = cloud.enqueue(welcome().task_id("w")).await.unwrap();

        assert_eq!(enqueued.queue(), "emails--temp");
        assert_eq!(
            cloud.asked().await,
            [
                "emails/tasks/w",
                "emails--temp/tasks/w",
                "emails--temp",
                "emails--temp/tasks/w"
            ]
        );
    }
}

#[tokio::test]
async fn a_backup_queue_that_cannot_be_created_is_named_with_the_remedy() {
    let denied = refused(403, "PERMISSION_DENIED", "The caller lacks a permission.");
    let cloud = Cloud::new().await.queue("emails", [blocked()]).await;
    let cloud = cloud.queue("emails--temp", [gone()]).await.queues(denied).await;

    let error = cloud.enqueue(welcome()).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Rejected, "{error}");
    assert!(!error.may_have_taken_effect());
    for part in [
        "task Welcome was not created in queue emails: ",
        "queues/emails was deleted",
        "its backup queue emails--temp does not exist and could not be created: ",
        "The caller lacks a permission.",
        "`gcloud tasks queues create projects/acme/locations/europe-west1/queues/emails--temp`",
        "CLOUD_TASKS_BACKUP_QUEUE_NAME",
        "roles/cloudtasks.queueAdmin",
    ] {
        assert!(format!("{error:#}").contains(part), "{part:?} is not in: {error}");
    }
}

#[tokio::test]
async fn a_backup_queue_that_was_made_just_now_may_not_take_tasks_yet() {
    let made = ResponseTemplate::new(200).set_body_json(json!({"name": format!("{QUEUES}/emails--temp")}));
    let cloud = Cloud::new().await.queue("emails", [blocked()]).await;
    let cloud = cloud.queue("emails--temp", [gone()]).await.queues(made).await;

    let error = cloud.enqueue(welcome().task_id("w")).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(!error.may_have_taken_effect());
    assert!(
        error.to_string().contains("emails--temp was just created"),
        "{error}"
    );
    assert_eq!(cloud.asked().await.len(), 4);
}

#[tokio::test]
async fn a_queue_that_is_not_there_has_its_tasks_in_a_backup_queue_that_is() {
    let cloud = Cloud::new()
        .await
        .queue("emails", [gone()])
        .await
        .takes("emails--temp")
        .await;

    let enqueued = cloud.enqueue(welcome()).await.unwrap();

    assert_eq!(enqueued.queue(), "emails--temp");
}

#[tokio::test]
async fn nothing_is_made_for_a_queue_that_is_only_not_there() {
    let cloud = Cloud::new()
        .await
        .queue("emails", [gone()])
        .await
        .queue("emails--temp", [gone()])
        .await;

    let error = cloud.enqueue(welcome().task_id("w")).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Rejected, "{error}");
    let text = format!("{error:#}");
    assert!(
        text.starts_with("task Welcome was not created in queue emails: "),
        "{text}"
    );
    assert!(
        text.ends_with("; its backup queue emails--temp does not exist either"),
        "{text}"
    );
    assert_eq!(cloud.asked().await, ["emails/tasks/w", "emails--temp/tasks/w"]);
}

#[tokio::test]
async fn a_refusal_for_another_reason_does_not_go_to_the_backup_queue() {
    for answer in [
        refused(400, "FAILED_PRECONDITION", "The task has a CMEK key."),
        refused(403, "PERMISSION_DENIED", "No."),
        refused(400, "INVALID_ARGUMENT", "No."),
    ] {
        let cloud = Cloud::new()
            .await
            .queue("emails", [answer])
            .await
            .takes("emails--temp")
            .await;

        assert!(cloud.enqueue(welcome().task_id("w")).await.is_err());
        assert_eq!(cloud.asked().await, ["emails/tasks/w"]);
    }
}

#[tokio::test]
async fn a_name_that_no_queue_can_have_is_said_and_not_tried() {
    for (config, part) in [
        (
            config().with_delimiter("__"),
            "the queue \"emails__temp\" is not accepted: 1 to 100 letters, digits and `-`",
        ),
        (
            config().with_backup_queue_name("emails"),
            "it is its own backup queue",
        ),
    ] {
        let cloud = Cloud::new().await.queue("emails", [blocked()]).await;

        let error = cloud
            .enqueue_with(config, welcome().task_id("w"))
            .await
            .unwrap_err();

        assert!(format!("{error:#}").contains(part), "{error}");
        assert!(
            error.to_string().contains("set CLOUD_TASKS_BACKUP_QUEUE_NAME"),
            "{error}"
        );
        assert_eq!(cloud.asked().await, ["emails/tasks/w"]);
    }
}

#[tokio::test]
async fn a_task_that_may_exist_already_is_not_created_a_second_time() {
    let cloud = Cloud::new()
        .await
        .queue("emails", [unavailable(), blocked()])
        .await
        .takes("emails--temp")
        .await;

    let error = cloud.enqueue(welcome().task_id("w")).await.unwrap_err();

    assert!(error.may_have_taken_effect(), "{error}");
    assert_eq!(cloud.asked().await, ["emails/tasks/w", "emails/tasks/w"]);
}

#[tokio::test]
async fn a_repeat_in_the_backup_queue_makes_no_second_task_either() {
    let cloud = Cloud::new().await.queue("emails", [blocked()]).await;
    let cloud = cloud.queue("emails--temp", [unavailable(), exists()]).await;

    let enqueued = cloud.enqueue(welcome()).await.unwrap();

    assert!(!enqueued.duplicate());
    let id = enqueued.id();
    let backup = format!("emails--temp/tasks/{id}");
    assert_eq!(
        cloud.asked().await,
        [format!("emails/tasks/{id}"), backup.clone(), backup]
    );
}

#[tokio::test]
async fn a_duplicate_in_the_backup_queue_is_one() {
    let cloud = Cloud::new()
        .await
        .queue("emails", [blocked()])
        .await
        .queue("emails--temp", [exists()])
        .await;

    let enqueued = cloud.enqueue(welcome().unique_key(7)).await.unwrap();

    assert!(enqueued.duplicate());
    assert_eq!(enqueued.queue(), "emails--temp");
}

#[tokio::test]
async fn an_unclear_answer_of_the_backup_queue_leaves_open_whether_the_task_exists() {
    let cloud = Cloud::new().await.queue("emails", [blocked()]).await;
    let refusal = refused(403, "PERMISSION_DENIED", "No.");
    let cloud = cloud.queue("emails--temp", [unavailable(), refusal]).await;

    let error = cloud.enqueue(welcome()).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.may_have_taken_effect());
    assert!(
        error.to_string().contains(
            "it may have been created in its backup queue emails--temp, but there was no clear response"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_queue_that_does_not_exist_has_its_backup_queue_whichever_code_says_so() {
    for (http, code) in [(404, "NOT_FOUND"), (400, "FAILED_PRECONDITION")] {
        let cloud = Cloud::new()
            .await
            .queue("emails", [refused(http, code, GONE)])
            .await
            .takes("emails--temp")
            .await;

        let enqueued = cloud.enqueue(welcome()).await.unwrap();

        assert_eq!(enqueued.queue(), "emails--temp", "{code}");
    }
}
