//! Queues on the wire.

use std::time::Duration;

use cloud_tasks::queue::QueueSettings;
use cloud_tasks::setup::{Action, ResourceKind};
use serde_json::json;

use crate::cloud::Cloud;
use crate::support::api::{QUEUES, config, refused};

#[tokio::test]
async fn every_queue_that_a_task_goes_to_is_made_with_its_settings() {
    let cloud = Cloud::new().await;

    let plan = cloud.runtime().await.setup().only_queues().plan().await.unwrap();
    let names: Vec<_> = plan.changes().map(|change| change.name.clone()).collect();
    let report = plan.apply().await.unwrap();

    assert_eq!(names, ["emails", "shop"]);
    assert_eq!(
        cloud.get(&format!("{QUEUES}/emails")),
        Some(json!({
            "name": format!("{QUEUES}/emails"),
            "rateLimits": {"maxDispatchesPerSecond": 5.0},
            "retryConfig": {"maxAttempts": 3, "maxRetryDuration": "0s"},
        }))
    );
    assert_eq!(
        cloud.get(&format!("{QUEUES}/shop")),
        Some(json!({"name": format!("{QUEUES}/shop")}))
    );
    assert_eq!(
        report.to_string(),
        "Successfully configured 2 queues to domain https://shop.example\n[+] emails\n[+] shop"
    );
}

#[tokio::test]
async fn only_the_settings_that_differ_are_changed() {
    let cloud = Cloud::new().await;
    let path = format!("{QUEUES}/emails");
    cloud.put(&format!("{QUEUES}/shop"), json!({}));
    cloud.put(
        &path,
        json!({
            "rateLimits": {"maxDispatchesPerSecond": 500.0, "maxBurstSize": 100, "maxConcurrentDispatches": 1000},
            "retryConfig": {"maxAttempts": 100, "minBackoff": "0.100s", "maxBackoff": "3600s", "maxDoublings": 16},
            "state": "RUNNING",
        }),
    );
    let settings = QueueSettings::new("emails")
        .with_max_dispatches_per_second(500.0)
        .with_max_concurrent_dispatches(10)
        .with_min_backoff(Duration::from_millis(100))
        .with_max_backoff(Duration::from_secs(60))
        .with_max_retry_duration(Duration::from_secs(90))
        .with_max_doublings(3);
    let runtime = cloud
        .builder(config().with_app_name("shop"))
        .queue(settings)
        .build()
        .await
        .unwrap();

    let plan = runtime.setup().only_queues().plan().await.unwrap();
    assert_eq!(
        plan.to_string(),
        "To do for https://shop.example: 0 to add, 1 to change, 0 to delete\n\
         [~] queue emails\n      \
         rate_limits.max_concurrent_dispatches: 1000 -> 10\n      \
         retry_config.max_retry_duration: (none) -> 90s\n      \
         retry_config.max_backoff: 3600s -> 60s\n      \
         retry_config.max_doublings: 16 -> 3"
    );
    let report = plan.apply().await.unwrap();

    assert_eq!(report.names(Action::Change, ResourceKind::Queue), ["emails"]);
    let queue = cloud.get(&path).unwrap();
    assert_eq!(
        queue["rateLimits"],
        json!({"maxDispatchesPerSecond": 500.0, "maxBurstSize": 100, "maxConcurrentDispatches": 10})
    );
    assert_eq!(queue["retryConfig"]["maxAttempts"], 100);
    assert!(runtime.setup().only_queues().plan().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_time_for_retries_that_was_set_by_hand_is_taken_away_where_the_number_of_attempts_counts() {
    for (asked_for, plan_has) in [(None, true), (Some(Duration::from_secs(60)), false)] {
        let cloud = Cloud::new().await;
        let path = format!("{QUEUES}/emails");
        cloud.put(&format!("{QUEUES}/shop"), json!({}));
        cloud.put(
            &path,
            json!({"retryConfig": {"maxAttempts": 3, "maxRetryDuration": "60s", "minBackoff": "5s"}}),
        );
        let mut settings = QueueSettings::new("emails").with_max_attempts(3);
        if let Some(duration) = asked_for {
            settings = settings.with_max_retry_duration(duration);
        }
        let builder = cloud.builder(config().with_app_name("shop")).queue(settings);
        let runtime = builder.build().await.unwrap();

        let plan = runtime.setup().only_queues().plan().await.unwrap();
        let text = plan.to_string();
        plan.apply().await.unwrap();

        let retries = cloud.get(&path).unwrap()["retryConfig"].clone();
        if plan_has {
            assert!(
                text.contains("[~] queue emails\n      retry_config.max_retry_duration: 60s -> 0s"),
                "{text}"
            );
            assert_eq!(
                retries,
                json!({"maxAttempts": 3, "maxRetryDuration": "0s", "minBackoff": "5s"})
            );
        } else {
            assert_eq!(retries["maxRetryDuration"], "60s");
        }
        assert!(runtime.setup().only_queues().plan().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_queue_that_somebody_else_made_in_between_gets_the_settings_all_the_same() {
    let cloud = Cloud::new().await;
    let plan = cloud.runtime().await.setup().only_queues().plan().await.unwrap();
    let path = format!("{QUEUES}/emails");
    cloud.put(&path, json!({"rateLimits": {"maxDispatchesPerSecond": 500.0}}));

    plan.apply().await.unwrap();

    let queue = cloud.get(&path).unwrap();
    assert_eq!(queue["rateLimits"]["maxDispatchesPerSecond"], 5.0);
    assert_eq!(queue["retryConfig"]["maxAttempts"], 3);
}

#[tokio::test]
async fn settings_that_cloud_tasks_would_refuse_are_named_by_build() {
    let cloud = Cloud::new().await;
    let wrong = QueueSettings::new("emails")
        .with_max_dispatches_per_second(501.0)
        .with_max_concurrent_dispatches(0)
        .with_max_attempts(0)
        .with_min_backoff(Duration::from_secs(2))
        .with_max_backoff(Duration::from_secs(1))
        .with_max_doublings(2000);

    let error = cloud
        .builder(config())
        .queue(wrong)
        .queue(QueueSettings::new("under_score"))
        .build()
        .await
        .unwrap_err()
        .to_string();

    for part in [
        "max_dispatches_per_second must be more than 0 and at most 500",
        "max_concurrent_dispatches must be 1 to 5000",
        "max_attempts must be 1 or more, or -1 for no limit",
        "min_backoff is longer than max_backoff",
        "max_doublings must be 1 to 1000",
        "under_score",
    ] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[tokio::test]
async fn the_backup_queue_is_made_in_the_place_of_one_whose_name_is_blocked_and_a_note_says_so() {
    let cloud = Cloud::new().await;
    cloud.put(&format!("{QUEUES}/shop"), json!({}));
    let blocked = "The queue cannot be created because a queue with this name existed too recently.";
    cloud.fail(1, "POST", "/queues", refused(400, "FAILED_PRECONDITION", blocked));

    let plan = cloud.runtime().await.setup().only_queues().plan().await.unwrap();
    let mut told = Vec::new();
    let report = plan
        .apply_with(|change| told.push(change.name.clone()))
        .await
        .unwrap();

    assert_eq!(report.names(Action::Add, ResourceKind::Queue), ["emails--temp"]);
    assert_eq!(told, ["emails--temp"]);
    assert_eq!(
        report.notes,
        [
            "the queue emails was not created: a queue of this name was deleted recently, and Cloud Tasks blocks the name for up to 7 days; its tasks go to its backup queue emails--temp until then"
        ]
    );
    assert_eq!(cloud.get(&format!("{QUEUES}/emails")), None);
    let backup = cloud.get(&format!("{QUEUES}/emails--temp")).unwrap();
    assert_eq!(backup["rateLimits"]["maxDispatchesPerSecond"], 5.0);
    assert_eq!(backup["retryConfig"]["maxAttempts"], 3);
}
