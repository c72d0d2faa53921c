//! Schedules on the wire.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::setup::{Action, Plan, ResourceKind};
use serde_json::json;

use crate::cloud::{Cloud, Digest};
use crate::support::api::config;

const JOBS: &str = "projects/acme/locations/europe-west1/jobs";

async fn plan(cloud: &Cloud) -> Plan {
    cloud
        .runtime()
        .await
        .setup()
        .only_schedules()
        .plan()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_schedule_becomes_a_job_with_all_that_its_task_says_and_a_second_plan_is_empty() {
    let cloud = Cloud::new().await;

    let report = plan(&cloud).await.apply().await.unwrap();

    assert_eq!(
        report.to_string(),
        "Successfully scheduled 1 tasks to domain https://shop.example\n[+] Digest"
    );
    assert_eq!(
        cloud.get(&format!("{JOBS}/shop--Digest")).unwrap(),
        json!({
            "name": format!("{JOBS}/shop--Digest"),
            "schedule": "0 9 * * 1-5",
            "timeZone": "Europe/Paris",
            "attemptDeadline": "120s",
            "retryConfig": {"retryCount": 3, "minBackoffDuration": "10s"},
            "httpTarget": {
                "uri": "https://shop.example/tasks/Digest",
                // POST; the client sends enums as numbers.
                "httpMethod": 1,
                "headers": {"content-type": "application/json"},
                "body": STANDARD.encode(r#"{"limit":10}"#),
                "oidcToken": {
                    "serviceAccountEmail": "tasks@acme.iam.gserviceaccount.com",
                    "audience": "https://shop.example",
                },
            },
        })
    );
    let second = plan(&cloud).await;
    assert!(second.is_empty(), "{second}");
}

#[tokio::test]
async fn a_job_that_differs_in_anything_is_updated_and_what_is_left_open_stays() {
    let cloud = Cloud::new().await;
    plan(&cloud).await.apply().await.unwrap();
    let path = format!("{JOBS}/shop--Digest");
    let mut job = cloud.get(&path).unwrap();
    job["schedule"] = json!("0 8 * * *");
    job["description"] = json!("by hand");
    job["state"] = json!("PAUSED");
    job["retryConfig"] =
        json!({"retryCount": 1, "minBackoffDuration": "10s", "maxBackoffDuration": "60s", "maxDoublings": 2});
    job["httpTarget"]["body"] = json!(STANDARD.encode("{}"));
    job["httpTarget"]["headers"]["User-Agent"] = json!("Google-Cloud-Scheduler");
    cloud.put(&path, job);

    let plan = plan(&cloud).await;
    assert_eq!(
        plan.to_string(),
        "To do for https://shop.example: 0 to add, 1 to change, 0 to delete\n\
         [~] schedule Digest\n      \
         schedule: 0 8 * * * -> 0 9 * * 1-5\n      \
         retry_config.retry_count: 1 -> 3\n      \
         http_target.body: {} -> {\"limit\":10}\n\
         warning: the schedule shop--Digest is paused, so its task does not run; `gcloud scheduler jobs resume \
         shop--Digest --location=europe-west1` resumes it"
    );
    let report = plan.apply().await.unwrap();

    assert_eq!(report.names(Action::Change, ResourceKind::Schedule), ["Digest"]);
    let (_, query) = &cloud.sent("PATCH", &format!("/v1/{path}")).await[0];
    assert!(
        query.contains("updateMask=schedule%2CretryConfig%2ChttpTarget"),
        "{query}"
    );
    let after = cloud.get(&path).unwrap();
    assert_eq!(
        after["retryConfig"],
        json!({"retryCount": 3, "minBackoffDuration": "10s", "maxBackoffDuration": "60s", "maxDoublings": 2})
    );
    assert_eq!(
        (&after["description"], &after["state"]),
        (&json!("by hand"), &json!("PAUSED"))
    );
}

#[tokio::test]
async fn a_job_that_somebody_else_made_in_between_is_left_alone_unless_it_is_the_same() {
    let cloud = Cloud::new().await;
    let path = format!("{JOBS}/shop--Digest");
    let (first, second, third) = (plan(&cloud).await, plan(&cloud).await, plan(&cloud).await);

    first.apply().await.unwrap();
    second.apply().await.unwrap();
    cloud.set(&path, "/schedule", json!("0 8 * * *"));
    let error = third.apply().await.unwrap_err();

    assert_eq!(
        error.failed()[0].error.to_string(),
        format!("{path} was created by somebody else in the meantime, and differs: plan again")
    );
    assert_eq!(cloud.get(&path).unwrap()["schedule"], "0 8 * * *");
    assert_eq!(cloud.count("PATCH").await, 0);
}

#[tokio::test]
async fn a_changed_job_keeps_what_this_version_does_not_know() {
    let cloud = Cloud::new().await;
    plan(&cloud).await.apply().await.unwrap();
    let path = format!("{JOBS}/shop--Digest");
    cloud.set(&path, "/retryConfig/retryCount", json!(1));
    cloud.set(&path, "/retryConfig/maxRetryDuration", json!("600s"));
    cloud.set(&path, "/retryConfig/jitterOfTheFuture", json!("1s"));
    cloud.set(&path, "/httpTarget/uri", json!("https://old.example"));
    cloud.set(
        &path,
        "/httpTarget/proxyOfTheFuture",
        json!({"host": "proxy.example"}),
    );

    plan(&cloud).await.apply().await.unwrap();

    let after = cloud.get(&path).unwrap();
    assert_eq!(
        after["retryConfig"],
        json!({"retryCount": 3, "minBackoffDuration": "10s", "maxRetryDuration": "600s", "jitterOfTheFuture": "1s"})
    );
    assert_eq!(after["httpTarget"]["uri"], "https://shop.example/tasks/Digest");
    assert_eq!(
        after["httpTarget"]["proxyOfTheFuture"],
        json!({"host": "proxy.example"})
    );
}

#[tokio::test]
async fn jobs_of_tasks_that_are_gone_are_deleted_only_when_asked_for_and_only_what_is_ours() {
    let cloud = Cloud::new().await;
    plan(&cloud).await.apply().await.unwrap();
    let ours = json!({"httpTarget": {"uri": "https://shop.example/tasks/Gone"}});
    let by_hand = [
        (
            "shop--Page",
            json!({"httpTarget": {"uri": "https://shop.example/nightly"}}),
        ),
        (
            "shop--Topic",
            json!({"pubsubTarget": {"topicName": "projects/acme/topics/t"}}),
        ),
        ("shop-service--Gone", ours.clone()),
        ("shop--billing--Gone", ours.clone()),
    ];
    for (name, job) in &by_hand {
        cloud.put(&format!("{JOBS}/{name}"), job.clone());
    }
    let gone = format!("{JOBS}/shop--Gone");
    cloud.put(&gone, ours);

    let careful = plan(&cloud).await;
    assert_eq!(careful.changes().count(), 0);
    assert_eq!(careful.held_back().len(), 1);
    let setup = cloud.runtime().await.setup().only_schedules().prune();
    let report = setup.plan().await.unwrap().apply().await.unwrap();

    assert_eq!(report.names(Action::Delete, ResourceKind::Schedule), ["Gone"]);
    assert!(cloud.get(&gone).is_none());
    for (name, _) in by_hand {
        assert!(cloud.get(&format!("{JOBS}/{name}")).is_some(), "{name}");
    }
}

#[tokio::test]
async fn one_periodic_task_can_be_scheduled_alone_without_a_look_at_pubsub() {
    let cloud = Cloud::new().await;

    let plan = cloud
        .runtime()
        .await
        .setup()
        .only::<Digest>()
        .plan()
        .await
        .unwrap();

    let lines: Vec<_> = plan.changes().map(ToString::to_string).collect();
    assert_eq!(lines, ["[+] schedule Digest"]);
    assert_eq!(cloud.calls().await, [format!("GET /v1/{JOBS}")]);
}

#[tokio::test]
async fn without_the_name_of_an_application_no_job_is_deleted() {
    let cloud = Cloud::new().await;
    cloud.put(
        &format!("{JOBS}/Gone"),
        json!({"httpTarget": {"uri": "https://shop.example/tasks/Gone"}}),
    );
    let runtime = cloud.builder(config()).build().await.unwrap();

    let plan = runtime.setup().only_schedules().prune().plan().await.unwrap();

    assert!(
        plan.changes().all(|change| change.action == Action::Add),
        "{plan}"
    );
}

#[tokio::test]
async fn text_of_the_cloud_steers_no_terminal_in_a_plan() {
    let cloud = Cloud::new().await;
    plan(&cloud).await.apply().await.unwrap();
    let path = format!("{JOBS}/shop--Digest");
    let mut job = cloud.get(&path).unwrap();
    job["timeZone"] = json!("a\n[-] queue Production\u{1b}[2J\u{9b}\u{202e}\u{200b}\u{2028}");
    cloud.put(&path, job);

    let text = plan(&cloud).await.to_string();

    assert!(
        text.contains("a\\u{a}[-] queue Production\\u{1b}[2J\\u{9b}\\u{202e}\\u{200b}\\u{2028}"),
        "{text}"
    );
    assert!(!text.lines().any(|line| line.starts_with("[-]")), "{text}");
}
