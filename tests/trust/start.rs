//! What the log says when a runtime is built.

use cloud_tasks::runtime::RuntimeBuilder;
use cloud_tasks::service::TrustedCallers;
use cloud_tasks::{Config, Runtime};

use crate::service::{Nowhere, state};
use crate::support::logs::Logs;

fn config() -> Config {
    crate::service::config()
        .with_project("acme")
        .with_location("europe-west1")
}

fn builder(config: Config) -> RuntimeBuilder {
    Runtime::builder().config(config).state(state())
}

/// What is logged while this is built.
async fn logged(builder: RuntimeBuilder) -> String {
    let logs = Logs::capture();
    builder.build().await.unwrap();
    logs.text()
}

#[tokio::test]
async fn who_is_trusted_and_where_tasks_go_is_logged_at_the_start() {
    let callers = TrustedCallers::new()
        .account("scheduler@my-project.iam.gserviceaccount.com")
        .audience("https://shop-a1b2c3-ew.a.run.app/");
    let text = logged(builder(config()).callers(callers).backend(Nowhere::default())).await;

    let line = text
        .lines()
        .find(|line| line.contains("the runtime is built"))
        .unwrap();
    for part in [
        "INFO",
        "backend=\"of your own\"",
        "endpoint=\"https://shop.example\"",
        "project=\"acme\"",
        "location=\"europe-west1\"",
        "queues={",
        " tasks=",
        " subscribers=",
        " schedules=",
        "callers=\"verified\"",
        "accounts=[\"scheduler@my-project.iam.gserviceaccount.com\", \"tasks@my-project.iam.gserviceaccount.com\"]",
        "audiences=[\"https://shop.example\", \"https://shop-a1b2c3-ew.a.run.app\"]",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(!text.contains("WARN"), "{text}");
}

fn with_backend() -> RuntimeBuilder {
    builder(config()).backend(Nowhere::default())
}

fn with_emulators(tasks: &str, messages: Option<&str>) -> RuntimeBuilder {
    let config = config().with_cloud_tasks_emulator_host(tasks);
    builder(match messages {
        Some(host) => config.with_pubsub_emulator_host(host),
        None => config,
    })
}

#[tokio::test]
async fn whatever_opens_access_is_warned_of() {
    type Open = fn(RuntimeBuilder) -> RuntimeBuilder;
    let openings: [(Open, &str); 4] = [
        (
            RuntimeBuilder::allow_unauthenticated,
            "`allow_unauthenticated()` lets anybody run tasks",
        ),
        (
            RuntimeBuilder::trust_platform,
            "`trust_platform()` lets in whoever reaches this service",
        ),
        (
            RuntimeBuilder::allow_unsigned_pushes,
            "`allow_unsigned_pushes()` lets anybody call them",
        ),
        (
            RuntimeBuilder::allow_emulator_pushes,
            "`allow_emulator_pushes()` lets anybody call every subscriber",
        ),
    ];
    for (open, part) in openings {
        let text = logged(open(with_backend())).await;

        assert!(
            text.lines()
                .any(|line| line.contains("WARN") && line.contains(part)),
            "{part} in {text}"
        );
    }
}

#[tokio::test]
async fn emulators_are_warned_of_and_louder_if_they_are_on_another_machine() {
    for (tasks, messages, level, part) in [
        (
            "localhost:9",
            None,
            "WARN",
            "tasks go to the emulator at localhost:9",
        ),
        (
            "127.0.0.2:9",
            None,
            "WARN",
            "tasks go to the emulator at 127.0.0.2:9",
        ),
        ("[::1]:9", None, "WARN", "tasks go to the emulator at [::1]:9"),
        ("0.0.0.0:9", None, "WARN", "tasks go to the emulator at 0.0.0.0:9"),
        (
            "10.0.0.1:9",
            None,
            "ERROR",
            "tasks go to the emulator at 10.0.0.1:9, which is not this machine",
        ),
        (
            "localhost.evil.example:9",
            None,
            "ERROR",
            "tasks go to the emulator at localhost.evil.example:9, which is not this machine",
        ),
        (
            "localhost:9",
            Some("localhost:8"),
            "WARN",
            "messages go to the emulator at localhost:8",
        ),
        (
            "localhost:9",
            Some("pubsub.example:8"),
            "ERROR",
            "messages go to the emulator at pubsub.example:8, which is not this machine",
        ),
        (
            "localhost:9",
            Some("localhost:8"),
            "WARN",
            "sends no token, so its pushes are refused",
        ),
    ] {
        let text = logged(with_emulators(tasks, messages)).await;

        assert!(
            text.lines()
                .any(|line| line.contains(level) && line.contains(part)),
            "{level} {part} in {text}"
        );
    }
}
