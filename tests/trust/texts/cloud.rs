//! What the cloud says, in the commands, in plans, in errors and in the log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::backend::RetrySettings;
use cloud_tasks::{Error, PublisherTask, Runtime, Task};
use futures_util::future::{BoxFuture, join_all};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::errors::forms;
use super::{Shown, combined, logged, texts};
use crate::service::{Happened, Note, state};
use crate::support::api::{QUEUES, config, google, refused};
use crate::support::console;
use crate::support::logs::Logs;
use crate::support::publish_api::{PublishApi, Reply};

const JOBS: &str = "projects/acme/locations/europe-west1/jobs";

/// The causes in records of dead tasks.
const CAUSES: [&str; 7] = [
    "failed",
    "panicked",
    "timed-out",
    "undecodable",
    "in-progress",
    "turned-away",
    "interrupted",
];

/// A cloud in which everything that others could write says one text.
struct Cloud {
    text: String,
    messages: Vec<Value>,
    /// Every second pull finds no more of them.
    is_pulled: AtomicBool,
}

impl Cloud {
    fn of(text: &str) -> Self {
        let record = |cause: &str| {
            let record = json!({
                "task": text, "queue": text, "id": text, "attempts": 3, "runs": 2, "cause": cause, "error": text,
                "body": {text: text}, "headers": {"x-request-id": text, text: "1"}, "died_at": text,
            });
            record.to_string()
        };
        let message = |id: &str, data: &str| {
            let message = json!({"messageId": id, "data": STANDARD.encode(data), "attributes": {text: text}});
            json!({"ackId": id, "message": message})
        };
        // One record of megabytes is enough.
        let causes = if text.len() < 10_000 { &CAUSES[..] } else { &[] };
        let causes = causes.iter().copied().chain([text]);
        let messages = causes.map(record).chain([text.to_owned()]);
        let messages = messages.map(|data| message(text, &data)).collect();
        Self {
            text: text.to_owned(),
            messages,
            is_pulled: AtomicBool::new(false),
        }
    }

    fn task(&self) -> Value {
        let text = &self.text;
        let in_url = utf8_percent_encode(text, NON_ALPHANUMERIC);
        json!({
            "name": format!("{QUEUES}/emails/tasks/{text}"),
            "scheduleTime": "2030-01-02T03:04:05Z",
            "dispatchCount": 3,
            "lastAttempt": {
                "dispatchTime": "2030-01-01T00:00:01Z",
                "responseTime": "2030-01-01T00:00:02Z",
                "responseStatus": {"code": 14, "message": text},
            },
            "httpRequest": {
                "url": format!("https://shop.example/tasks/{in_url}"),
                "httpMethod": 1,
                "headers": {"x-request-id": text},
                "body": STANDARD.encode(json!({text: text}).to_string()),
            },
        })
    }

    fn answer(&self, method: &str, path: &str) -> Value {
        let text = &self.text;
        let queue = json!({"name": format!("{QUEUES}/{text}"), "state": "RUNNING"});
        let job = |name: &str| {
            let in_url = utf8_percent_encode(text, NON_ALPHANUMERIC);
            json!({
                "name": format!("{JOBS}/{name}"), "description": text, "schedule": text, "timeZone": text,
                "attemptDeadline": "120s",
                "httpTarget": {
                    "uri": format!("https://shop.example/tasks/{in_url}"), "headers": {text: text},
                    "body": STANDARD.encode(text),
                    "oidcToken": {"serviceAccountEmail": text, "audience": text},
                },
            })
        };
        let subscription = |name: &str| {
            json!({
                "name": format!("projects/acme/subscriptions/{name}"), "topic": text, "filter": text,
                "labels": {text: text}, "ackDeadlineSeconds": 10,
                "pushConfig": {"pushEndpoint": format!("https://shop.example/subscriptions/{text}")},
            })
        };
        match (method, path.rsplit('/').next().unwrap_or_default()) {
            ("GET", "tasks") => json!({"tasks": [self.task()]}),
            ("GET", "jobs") => json!({"jobs": [job("shop--Tick"), job(&format!("shop--{text}"))]}),
            ("GET", "topics") => json!({"topics": [{"name": format!("projects/acme/topics/{text}")}]}),
            ("GET", "subscriptions") => {
                json!({"subscriptions": [subscription("shop--Listener"), subscription(&format!("shop--{text}"))]})
            }
            ("GET", "queues") => json!({"queues": [queue]}),
            ("GET", _) if path.contains("/tasks/") => self.task(),
            ("GET", _) => queue,
            (_, last) if last.ends_with(":pull") => {
                if self.is_pulled.fetch_xor(true, Ordering::SeqCst) {
                    json!({})
                } else {
                    json!({"receivedMessages": self.messages})
                }
            }
            _ => json!({}),
        }
    }
}

impl Respond for Cloud {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let answer = self.answer(request.method.as_str(), request.url.path());
        ResponseTemplate::new(200).set_body_json(answer)
    }
}

async fn runtime(server: &MockServer) -> Runtime {
    let impatient = RetrySettings {
        initial: Duration::from_millis(20),
        maximum: Duration::from_millis(20),
        multiplier: 1.0,
        deadline: Duration::from_millis(500),
    };
    let google = google(server.uri())
        .pubsub_endpoint(server.uri())
        .scheduler_endpoint(server.uri());
    Runtime::builder()
        .config(config().with_app_name("shop").with_enqueue_retry(impatient))
        .google(google)
        .state(state())
        .build()
        .await
        .unwrap()
}

#[expect(clippy::too_many_lines, reason = "a table")]
/// Every command that shows what the cloud says, or what it was given; and the answer to its question.
fn commands(text: &str) -> Vec<(&'static str, Vec<&str>, Option<&'static str>)> {
    vec![
        ("tasks list", vec!["tasks", "list", "--queue", "emails"], None),
        (
            "tasks list --json",
            vec!["tasks", "list", "--queue", "emails", "--json"],
            None,
        ),
        ("tasks get", vec!["tasks", "get", "a", "--queue", "emails"], None),
        (
            "tasks get --json",
            vec!["tasks", "get", "a", "--queue", "emails", "--json"],
            None,
        ),
        (
            "tasks get of a name",
            vec!["tasks", "get", text, "--queue", text],
            None,
        ),
        (
            "tasks cancel",
            vec!["tasks", "cancel", "a", text, "--queue", text],
            Some("y\n"),
        ),
        ("tasks run", vec!["tasks", "run", text, "--queue", "emails"], None),
        (
            "tasks run-here",
            vec!["tasks", "run-here", "a", "--queue", "emails"],
            None,
        ),
        (
            "tasks delete --dry-run",
            vec!["tasks", "delete", "--all", "--queue", "emails", "--dry-run"],
            None,
        ),
        (
            "tasks delete",
            vec!["tasks", "delete", "--all", "--queue", "emails"],
            Some("y\n"),
        ),
        (
            "tasks delete --task",
            vec!["tasks", "delete", "--task", text, "--queue", "emails"],
            Some("y\n"),
        ),
        (
            "tasks delete in a queue",
            vec!["tasks", "delete", "--all", "--queue", text],
            Some("n\n"),
        ),
        ("queues info", vec!["queues", "info", "emails"], None),
        ("queues info of a name", vec!["queues", "info", text], None),
        ("queues pause", vec!["queues", "pause", text], None),
        ("queues purge", vec!["queues", "purge", "emails"], Some("y\n")),
        (
            "queues purge of a name",
            vec!["queues", "purge", text],
            Some("n\n"),
        ),
        (
            "dead list",
            vec!["dead", "list", "--topic", "dead", "--idle-timeout", "0"],
            None,
        ),
        (
            "dead list --json",
            vec!["dead", "list", "--topic", "dead", "--idle-timeout", "0", "--json"],
            None,
        ),
        (
            "dead list of a topic",
            vec!["dead", "list", "--topic", text, "--idle-timeout", "0"],
            None,
        ),
        (
            "dead replay",
            vec!["dead", "replay", "--topic", "dead", "--idle-timeout", "0"],
            Some("n\n"),
        ),
        (
            "dead replay --yes",
            vec![
                "dead",
                "replay",
                "--topic",
                "dead",
                "--idle-timeout",
                "0",
                "--yes",
            ],
            None,
        ),
        (
            "dead replay --json",
            vec![
                "dead",
                "replay",
                "--topic",
                "dead",
                "--idle-timeout",
                "0",
                "--yes",
                "--json",
            ],
            None,
        ),
        (
            "a plan",
            vec!["initialize-tasks", "--plan", "--prune", "--project-number", "1"],
            None,
        ),
        (
            "a plan that deletes nothing",
            vec!["initialize-tasks", "--plan", "--project-number", "1"],
            None,
        ),
        (
            "a plan --json",
            vec![
                "initialize-tasks",
                "--plan",
                "--prune",
                "--json",
                "--project-number",
                "1",
            ],
            None,
        ),
        (
            "a confirmation",
            vec!["initialize-tasks", "--prune", "--project-number", "1"],
            Some("n\n"),
        ),
        (
            "a set-up",
            vec![
                "initialize-tasks",
                "--prune",
                "--allow-data-loss",
                "--project-number",
                "1",
            ],
            Some("y\n"),
        ),
        ("a list", vec!["list"], None),
    ]
}

/// Commands that need not show any text of the cloud.
const SILENT: &[&str] = &[
    "queues info",
    "queues purge",
    "a list",
    "tasks run",
    "tasks run-here",
    "tasks delete",
    "tasks delete --task",
];

#[tokio::test]
async fn no_command_shows_what_steers_a_terminal() {
    for text in combined() {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(Cloud::of(&text))
            .mount(&server)
            .await;
        let runtime = runtime(&server).await;
        for (place, words, answers) in commands(&text) {
            let logs = Logs::capture();

            let (_, out, err) = console::run(&runtime, &words, answers).await;

            let is_silent = SILENT.contains(&place);
            assert!(
                is_silent || out.contains(super::SECRET) || err.contains(super::SECRET),
                "{place} shows nothing of {text:.100?}: {out:.1000} {err:.1000}"
            );
            for shown in logged(&logs)
                .iter()
                .chain(&[Shown::lines(place, &*out), Shown::lines(place, err)])
            {
                shown.assert_safe(&text);
            }
            if place.ends_with("--json") {
                // The text is the same, written in another way.
                let values = serde_json::Deserializer::from_str(&out).into_iter::<Value>();
                let values: Vec<_> = values.map(Result::unwrap).collect();
                assert_eq!(values.len(), 1, "{place}: {out:.1000}");
                let is_there = contains(&values[0], &text);
                assert!(
                    is_there || place.contains("replay") || place.contains("plan"),
                    "{place}: {out:.1000}"
                );
            }
        }
    }
}

/// Whether one of the strings in a value is this text.
fn contains(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string == text,
        Value::Array(values) => values.iter().any(|value| contains(value, text)),
        Value::Object(members) => members.values().any(|value| contains(value, text)),
        _ => false,
    }
}

#[tokio::test]
async fn a_forged_record_of_megabytes_does_not_fill_the_terminal() {
    let text = format!("hunter2{}", "x".repeat(200_000));
    for (place, words, answers) in [
        (
            "dead list",
            vec!["dead", "list", "--topic", "dead", "--idle-timeout", "0"],
            None,
        ),
        (
            "dead replay",
            vec!["dead", "replay", "--topic", "dead", "--idle-timeout", "0"],
            Some("n\n"),
        ),
        ("tasks list", vec!["tasks", "list", "--queue", "emails"], None),
    ] {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(Cloud::of(&text))
            .mount(&server)
            .await;

        let (_, out, err) = console::run(&runtime(&server).await, &words, answers).await;

        let shown = out.len() + err.len();
        assert!(shown > 100 && shown < 20_000, "{place} shows {shown} bytes");
    }
}

/// Errors of Google, and a page of somebody in between.
fn refusals(text: &str) -> Vec<ResponseTemplate> {
    let mut refusals: Vec<_> = [
        (400, "INVALID_ARGUMENT"),
        (400, "FAILED_PRECONDITION"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (409, "ABORTED"),
    ]
    .into_iter()
    .map(|(http, code)| refused(http, code, text))
    .collect();
    let details =
        json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": text, "domain": text}]);
    let error = json!({"code": 403, "message": text, "status": "PERMISSION_DENIED", "details": details});
    refusals.push(ResponseTemplate::new(403).set_body_json(json!({ "error": error })));
    refusals.push(ResponseTemplate::new(200).set_body_string(text));
    refusals.push(ResponseTemplate::new(404).set_body_raw(text, "text/html"));
    refusals
}

/// The errors of all calls, at once: some of them are repeated for seconds.
async fn errors_of(runtime: &Runtime) -> Vec<(&'static str, Error)> {
    let queue = &runtime.queue("emails");
    let calls: [(&'static str, BoxFuture<'_, Option<Error>>); 13] = [
        (
            "an enqueue",
            Box::pin(async { Note.asap().on(runtime).await.err() }),
        ),
        ("getting a task", Box::pin(async { queue.get("a").await.err() })),
        (
            "listing tasks",
            Box::pin(async { queue.list().try_next().await.err() }),
        ),
        (
            "cancelling a task",
            Box::pin(async { queue.cancel("a").await.err() }),
        ),
        (
            "running a task",
            Box::pin(async { queue.run_now("a").await.err() }),
        ),
        (
            "running a task here",
            Box::pin(async { queue.run_here("a").await.err() }),
        ),
        (
            "deleting tasks",
            Box::pin(async { queue.delete_tasks().await.err() }),
        ),
        ("looking at a queue", Box::pin(async { queue.info().await.err() })),
        ("pausing a queue", Box::pin(async { queue.pause().await.err() })),
        ("emptying a queue", Box::pin(async { queue.purge().await.err() })),
        (
            "reading dead tasks",
            Box::pin(async { runtime.dead_tasks("dead").list().await.err() }),
        ),
        ("a plan", Box::pin(async { runtime.setup().plan().await.err() })),
        (
            "a plan of schedules",
            Box::pin(async { runtime.setup().only_schedules().plan().await.err() }),
        ),
    ];
    let results = calls.map(|(place, call)| async move { (place, call.await) });
    let results = join_all(results).await.into_iter();
    results
        .filter_map(|(place, error)| Some((place, error?)))
        .collect()
}

#[tokio::test]
async fn no_error_of_google_steers_a_terminal_or_a_log() {
    let all = texts().concat();
    let logs = Logs::capture();

    let errors = refusals(&all).into_iter().map(|refusal| async {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(refusal).mount(&server).await;
        errors_of(&runtime(&server).await).await
    });
    let errors = join_all(errors).await;

    for errors in errors {
        assert!(
            errors.len() > 8,
            "{:?}",
            errors.iter().map(|(place, _)| place).collect::<Vec<_>>()
        );
        for shown in errors.iter().flat_map(|(place, error)| forms(place, error)) {
            shown.assert_safe(&all);
        }
    }
    for shown in logged(&logs) {
        shown.assert_safe(&all);
    }
}

#[tokio::test]
async fn no_text_of_google_reaches_the_log_of_retries_and_of_backup_queues_unescaped() {
    for text in combined() {
        for refusal in [
            refused(503, "UNAVAILABLE", &text),
            refused(404, "NOT_FOUND", &text),
        ] {
            let server = MockServer::start().await;
            Mock::given(any()).respond_with(refusal).mount(&server).await;
            let runtime = runtime(&server).await;
            let logs = Logs::capture();

            let error = Note.asap().on(&runtime).await.unwrap_err();

            let logged = logged(&logs);
            let is_told = |part: &str| logged.iter().any(|line| line.text.contains(part));
            assert!(
                is_told("retrying the call") || is_told("goes to its backup queue"),
                "{error}"
            );
            for shown in logged.iter().chain(&forms("an enqueue", &error)) {
                shown.assert_safe(&text);
            }
        }
    }
}

#[tokio::test]
async fn no_text_of_pub_sub_reaches_an_error_or_the_log_of_publishing_unescaped() {
    let [text, _] = combined();
    let escaped: &str = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string().leak();
    let impatient = RetrySettings {
        initial: Duration::from_millis(20),
        maximum: Duration::from_millis(20),
        multiplier: 1.0,
        deadline: Duration::from_millis(500),
    };
    for (code, is_repeated) in [(3, false), (5, false), (7, false), (9, false), (14, true)] {
        let api = PublishApi::start(move |_| Reply::Refuse(code, escaped)).await;
        let runtime = Runtime::builder()
            .config(config().with_enqueue_retry(impatient))
            .google(google("http://127.0.0.1:1").pubsub_endpoint(api.url()))
            .state(state())
            .build()
            .await
            .unwrap();
        for key in ["", "key"] {
            let logs = Logs::capture();
            let happened = Happened { what: String::new() };

            let publish = happened.sync().ordering_key(key).on(&runtime);
            let error = runtime.spawn(publish).await.unwrap().unwrap_err();

            let logged = logged(&logs);
            let is_told = |part: &str| logged.iter().any(|line| line.text.contains(part));
            assert!(format!("{error:#}").contains(super::SECRET), "{code}: {error:#}");
            assert_eq!(is_told("trying again"), is_repeated, "{code} {key:?}");
            for shown in logged.iter().chain(&forms("a publish", &error)) {
                shown.assert_safe(&text);
            }
        }
    }
}
