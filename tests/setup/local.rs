//! Queues of the local engine.
#![cfg(feature = "local")]

use cloud_tasks::queue::QueueSettings;
use cloud_tasks::{Config, Runtime, Task};

use crate::cloud::Send;

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
