//! What dead tasks need.

use cloud_tasks::Runtime;
use cloud_tasks::setup::{Action, ResourceKind};
use serde_json::json;

use crate::cloud::{Cloud, NUMBER, SUBSCRIPTIONS, Send, TOPICS};
use crate::support::api::config;

async fn runtime(cloud: &Cloud, topic: &'static str) -> Runtime {
    let builder = cloud.builder(config().with_app_name("shop"));
    builder.dead_letter_topic(topic).build().await.unwrap()
}

#[tokio::test]
async fn the_topic_and_a_subscription_that_keeps_it_are_planned_made_and_then_left_alone() {
    let cloud = Cloud::new().await;
    let runtime = runtime(&cloud, "dead-tasks").await;
    let setup = || runtime.setup().only_subscribers().project_number(NUMBER);

    let plan = setup().plan().await.unwrap();
    let text = plan.to_string();
    let report = plan.apply().await.unwrap();
    let again = setup().plan().await.unwrap();

    assert!(text.contains("[+] topic shop--dead-tasks\n"), "{text}");
    assert!(
        text.contains("[+] dead-letter subscription shop--dead-tasks\n"),
        "{text}"
    );
    assert!(
        report
            .names(Action::Add, ResourceKind::Topic)
            .contains(&"shop--dead-tasks")
    );
    let path = format!("{SUBSCRIPTIONS}/shop--dead-tasks");
    let made = cloud.get(&path).unwrap();
    assert_eq!(made["topic"], format!("{TOPICS}/shop--dead-tasks"));
    assert_eq!(made["expirationPolicy"], json!({}));
    assert!(made.get("pushConfig").is_none());
    assert!(again.is_empty(), "{again}");
}

#[tokio::test]
async fn one_task_alone_brings_its_topic_and_what_keeps_it() {
    let cloud = Cloud::new().await;
    let runtime = runtime(&cloud, "dead-tasks").await;

    let plan = runtime.setup().only::<Send>().plan().await.unwrap();

    let changes: Vec<_> = plan
        .changes()
        .map(|change| (change.kind, change.name.as_str()))
        .collect();
    assert_eq!(
        changes,
        [
            (ResourceKind::Topic, "shop--dead-tasks"),
            (ResourceKind::DeadLetterSubscription, "shop--dead-tasks")
        ]
    );
}

#[tokio::test]
async fn a_subscription_of_that_name_that_keeps_something_else_is_told() {
    let cloud = Cloud::new().await;
    cloud.put(
        &format!("{SUBSCRIPTIONS}/shop--dead-tasks"),
        json!({"topic": format!("{TOPICS}/others")}),
    );
    let runtime = runtime(&cloud, "dead-tasks").await;

    let plan = runtime.setup().only::<Send>().plan().await.unwrap();

    assert_eq!(plan.warnings().len(), 1);
    assert!(plan.warnings()[0].contains("would be lost"), "{:?}", plan.notes());
}

#[tokio::test]
async fn a_name_that_a_subscriber_uses_otherwise_is_a_mistake() {
    let cloud = Cloud::new().await;
    let build = |topic: &'static str| {
        let builder = cloud.builder(config().with_app_name("shop"));
        builder.dead_letter_topic(topic).build()
    };

    let pushed = build("Plain").await.unwrap_err().to_string();
    let kept = build("projects/acme/topics/shop--orders-failed")
        .await
        .unwrap_err()
        .to_string();

    assert!(
        pushed.contains("\"shop--Plain\", which is the one that Plain is pushed from"),
        "{pushed}"
    );
    assert!(
        kept.contains("\"shop--orders-failed\", which keeps the dead letters of Auditor"),
        "{kept}"
    );
    build("orders-failed").await.unwrap();
}
