//! Queues of the local engine.
#![cfg(feature = "local")]

use cloud_tasks::queue::QueueSettings;
use cloud_tasks::{Config, Runtime, Task};

use crate::cloud::{Cloud, SUBSCRIPTIONS, Send};
use crate::support::console;

async fn run(runtime: &Runtime, line: &str) -> (u8, String, String) {
    let words: Vec<_> = line.split(' ').collect();
    console::run(runtime, &words, None).await
}

/// The messages of a local engine are in an emulator of Pub/Sub, if there is one, and no engine of this service runs.
#[tokio::test]
async fn commands_that_look_at_no_engine_run_without_one() {
    let cloud = Cloud::new().await;
    let messages = cloud.url();
    let config = Config::default()
        .with_app_name("nobody-serves-this")
        .with_endpoint("http://127.0.0.1:9");
    let in_emulator = config
        .clone()
        .with_project("acme")
        .with_pubsub_emulator_host(messages.trim_start_matches("http://"));
    let build = |config: Config| Runtime::local().config(config).allow_unsigned_pushes().build();
    let (runtime, engine) = build(config).await.unwrap();
    let (emulated, other) = build(in_emulator).await.unwrap();
    let no_engine = "error: nothing was done: no local engine of this service runs on this machine";

    let of_engine = [
        "initialize-subscribers --yes",
        "initialize-tasks --yes",
        "schedule-tasks --yes",
        "dead list --topic failed",
        "dead replay --topic failed --yes",
        "queues info tasks",
        "tasks list",
    ];
    for line in of_engine {
        let (code, _, err) = run(&runtime, line).await;
        assert_eq!((code, err.contains(no_engine)), (1, true), "{line}: {err}");
    }
    for line in [
        "list",
        #[cfg(feature = "schema")]
        "schema export",
    ] {
        let (code, _, err) = run(&runtime, line).await;
        assert_eq!((code, err.contains("error")), (0, false), "{line}: {err}");
    }
    for line in [
        "initialize-tasks --yes",
        "dead replay --topic failed --yes",
        "queues info tasks",
    ] {
        let (code, _, err) = run(&emulated, line).await;
        assert_eq!((code, err.contains(no_engine)), (1, true), "{line}: {err}");
    }
    let (code, out, err) = run(&emulated, "initialize-subscribers --yes").await;

    assert_eq!((code, out.contains("[+] Plain\n")), (0, true), "{out}{err}");
    assert!(
        cloud
            .get(&format!("{SUBSCRIPTIONS}/nobody-serves-this--Plain"))
            .is_some()
    );
    engine.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn queues_of_the_local_engine_are_made_and_changed() {
    let config = Config::default()
        .with_app_name("shop")
        .with_endpoint("http://127.0.0.1:9");
    let emails = |rate| {
        QueueSettings::new("emails")
            .with_max_dispatches_per_second(rate)
            .with_max_attempts(3)
    };
    let (runtime, engine) = Runtime::local()
        .config(config.clone())
        .queue(emails(5.0))
        .allow_unsigned_pushes()
        .build()
        .await
        .unwrap();

    let first = runtime.setup().plan().await.unwrap();
    let notes = first.notes().to_vec();
    let report = first.apply().await.unwrap();
    // A queue that a task makes by going there is left as it is.
    Send.later(std::time::Duration::from_secs(3600))
        .on(&runtime)
        .await
        .unwrap();
    let second = runtime.setup().plan().await.unwrap();

    assert_eq!(
        report.to_string(),
        format!("Successfully configured 2 queues to domain http://127.0.0.1:9\n[+] emails\n[+] shop")
    );
    let looked_at = format!(
        "looked at the local engine at {}, which loses everything when its process ends",
        engine.url()
    );
    assert_eq!((notes.len(), notes.contains(&looked_at)), (3, true), "{notes:?}");
    assert!(second.is_empty(), "{second}");

    let host = engine.url().trim_start_matches("http://").to_owned();
    let changed = Runtime::builder()
        .config(config.with_cloud_tasks_emulator_host(host))
        .queue(emails(7.0))
        .allow_unsigned_pushes()
        .build()
        .await
        .unwrap();
    let plan = changed.setup().only_queues().plan().await.unwrap();
    assert_eq!(
        plan.changes().next().unwrap().to_string(),
        "[~] queue emails\n      rate_limits.max_dispatches_per_second: 5 -> 7"
    );
    plan.apply().await.unwrap();
    assert!(changed.setup().only_queues().plan().await.unwrap().is_empty());
    engine.stop().await;
}
