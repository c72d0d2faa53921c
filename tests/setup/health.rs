//! Resources that exist with the desired settings and still do not work.

use cloud_tasks::Runtime;
use cloud_tasks::setup::Plan;
use serde_json::{Value, json};

use crate::cloud::{Cloud, NUMBER, SUBSCRIPTIONS, TOPICS};

const QUEUES: &str = "projects/acme/locations/europe-west1/queues";
const JOBS: &str = "projects/acme/locations/europe-west1/jobs";

async fn plan(runtime: &Runtime) -> Plan {
    runtime.setup().project_number(NUMBER).plan().await.unwrap()
}

/// A cloud in the desired state.
async fn set_up() -> (Cloud, Runtime) {
    let cloud = Cloud::new().await;
    let runtime = cloud.runtime().await;
    plan(&runtime).await.apply().await.unwrap();
    assert!(plan(&runtime).await.is_empty());
    (cloud, runtime)
}

#[tokio::test]
async fn what_does_not_work_is_a_warning_and_the_plan_is_not_empty() {
    let auditor = format!("{SUBSCRIPTIONS}/shop--Auditor");
    let plain = format!("{SUBSCRIPTIONS}/shop--Plain");
    let letters = format!("{SUBSCRIPTIONS}/shop--orders-failed");
    let queue = format!("{QUEUES}/emails");
    let job = format!("{JOBS}/shop--Digest");
    let cases: &[(&str, &str, Value, &[&str])] = &[
        (
            &plain,
            "/state",
            json!("RESOURCE_ERROR"),
            &["RESOURCE_ERROR", "gcloud pubsub subscriptions describe"],
        ),
        (
            &plain,
            "/pushConfig/noWrapper",
            json!({}),
            &["noWrapper: {}", "#[task(bare_body)]"],
        ),
        (
            &plain,
            "/deadLetterPolicy",
            json!({"deadLetterTopic": "_deleted-topic_", "maxDeliveryAttempts": 5}),
            &["dead-letter topic", "was deleted"],
        ),
        (
            &letters,
            "/topic",
            json!("_deleted-topic_"),
            &["was deleted", "gcloud pubsub subscriptions delete"],
        ),
        (
            &letters,
            "/detached",
            json!(true),
            &["is detached", "would be lost"],
        ),
        (&letters, "/state", json!("RESOURCE_ERROR"), &["RESOURCE_ERROR"]),
        (
            &letters,
            "/pushConfig",
            json!({"pushEndpoint": "https://other.example"}),
            &["pushes to https://other.example", "cannot be replayed"],
        ),
        (
            &letters,
            "/bigqueryConfig",
            json!({"table": "acme.audit.letters"}),
            &["writes to BigQuery (acme.audit.letters)", "cannot be replayed"],
        ),
        (
            &queue,
            "/state",
            json!("PAUSED"),
            &[
                "is paused",
                "gcloud tasks queues resume emails --location=europe-west1",
            ],
        ),
        (&queue, "/state", json!("DISABLED"), &["is disabled"]),
        (
            &job,
            "/state",
            json!("PAUSED"),
            &[
                "is paused",
                "gcloud scheduler jobs resume shop--Digest --location=europe-west1",
            ],
        ),
        (&job, "/state", json!("DISABLED"), &["is disabled"]),
        (
            &auditor,
            "/state",
            json!("RESOURCE_ERROR"),
            &["Auditor", "RESOURCE_ERROR"],
        ),
    ];
    let (cloud, runtime) = set_up().await;
    for (path, field, value, parts) in cases {
        let before = cloud.get(path).unwrap();
        cloud.set(path, field, value.clone());

        let planned = plan(&runtime).await;

        let case = format!("{path} {field} {value}: {planned}");
        let [warning] = planned.warnings() else {
            panic!("one warning: {case}");
        };
        for part in *parts {
            assert!(warning.contains(part), "{part}: {case}");
        }
        assert!(!planned.is_empty(), "{case}");
        assert_eq!(planned.changes().count(), 0, "{case}");
        assert!(planned.to_string().contains("\nwarning: "), "{case}");
        assert_eq!(planned.to_json()["warnings"], json!([warning]), "{case}");
        cloud.put(path, before);
    }
}

#[tokio::test]
async fn a_subscription_that_gets_no_messages_is_recreated_if_losing_messages_is_allowed() {
    for (field, value, shown) in [
        ("/detached", json!(true), "detached: true -> false"),
        (
            "/topic",
            json!("_deleted-topic_"),
            "topic: _deleted-topic_ -> projects/acme/topics/shop--orders",
        ),
    ] {
        let (cloud, runtime) = set_up().await;
        let path = format!("{SUBSCRIPTIONS}/shop--Plain");
        cloud.set(&path, field, value);

        let careful = plan(&runtime).await;
        let setup = runtime.setup().project_number(NUMBER).allow_data_loss();
        setup.plan().await.unwrap().apply().await.unwrap();

        assert!(!careful.is_empty());
        assert_eq!(careful.changes().count(), 0);
        assert!(careful.to_string().contains(shown), "{careful}");
        assert_eq!(careful.held_back()[0].reason, "it needs `allow_data_loss`");
        let after = cloud.get(&path).unwrap();
        assert_eq!(after["topic"], format!("{TOPICS}/shop--orders"));
        assert!(after["detached"].is_null(), "{after}");
        assert!(plan(&runtime).await.is_empty());
    }
}

#[tokio::test]
async fn a_delivery_to_somewhere_else_is_replaced_only_if_losing_it_is_allowed() {
    for (field, value, shown) in [
        (
            "bigqueryConfig",
            json!({"table": "acme.audit.orders", "writeMetadata": true}),
            "bigquery_config: acme.audit.orders -> (none)",
        ),
        (
            "cloudStorageConfig",
            json!({"bucket": "acme-orders"}),
            "cloud_storage_config: acme-orders -> (none)",
        ),
        (
            "bigtableConfig",
            json!({"table": "projects/acme/instances/i/tables/t"}),
            "bigtable_config: projects/acme/instances/i/tables/t -> (none)",
        ),
    ] {
        let (cloud, runtime) = set_up().await;
        let path = format!("{SUBSCRIPTIONS}/shop--Auditor");
        cloud.set(&path, "/pushConfig", json!({}));
        cloud.set(&path, &format!("/{field}"), value.clone());
        cloud.set(&path, "/ackDeadlineSeconds", json!(60));

        let careful = plan(&runtime).await;
        let text = careful.to_string();
        careful.apply().await.unwrap();
        let untouched = cloud.get(&path).unwrap();
        let setup = runtime.setup().project_number(NUMBER).allow_data_loss();
        let allowed = setup.plan().await.unwrap();
        assert!(allowed.held_back().is_empty(), "{allowed}");
        allowed.apply().await.unwrap();

        assert!(text.contains(shown), "{text}");
        assert!(text.contains("loses: "), "{text}");
        assert_eq!(untouched[field], value);
        assert_eq!(untouched["pushConfig"], json!({}));
        assert_eq!(untouched["ackDeadlineSeconds"], 30);
        let after = cloud.get(&path).unwrap();
        assert!(after[field].is_null(), "{after}");
        assert_eq!(
            after["pushConfig"]["pushEndpoint"],
            "https://shop.example/subscriptions/Auditor"
        );
        assert!(plan(&runtime).await.is_empty());
        assert_eq!(cloud.count("DELETE").await, 0);
    }
}

#[tokio::test]
async fn exactly_once_delivery_which_a_push_cannot_have_is_taken_away_with_the_change_to_a_push() {
    let (cloud, runtime) = set_up().await;
    let path = format!("{SUBSCRIPTIONS}/shop--Plain");
    cloud.set(&path, "/pushConfig", json!({}));
    cloud.set(&path, "/enableExactlyOnceDelivery", json!(true));

    let change = plan(&runtime).await;
    let text = change.to_string();
    change.apply().await.unwrap();

    assert!(
        text.contains("enable_exactly_once_delivery: true -> false"),
        "{text}"
    );
    assert!(cloud.get(&path).unwrap()["enableExactlyOnceDelivery"].is_null());
    assert!(plan(&runtime).await.is_empty());
}

#[tokio::test]
async fn a_job_whose_update_failed_is_updated_again() {
    let (cloud, runtime) = set_up().await;
    let path = format!("{JOBS}/shop--Digest");
    cloud.set(&path, "/state", json!("UPDATE_FAILED"));

    let change = plan(&runtime).await;
    let text = change.to_string();
    change.apply().await.unwrap();

    assert!(text.contains("state: UPDATE_FAILED -> ENABLED"), "{text}");
    let (_, query) = &cloud.sent("PATCH", &format!("/v1/{path}")).await[0];
    assert!(
        query.contains("httpTarget") && !query.contains("state"),
        "{query}"
    );
}
