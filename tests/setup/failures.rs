//! What happens when the cloud says no, or not now.

use serde_json::json;
use wiremock::ResponseTemplate;

use crate::cloud::{Cloud, NUMBER, SUBSCRIPTIONS};
use crate::support::api::refused;

async fn plan(cloud: &Cloud) -> Result<cloud_tasks::setup::Plan, cloud_tasks::Error> {
    cloud.runtime().await.setup().project_number(NUMBER).plan().await
}

#[tokio::test]
async fn a_failure_half_way_is_told_in_full_and_the_next_run_makes_what_is_missing() {
    let cloud = Cloud::new().await;
    cloud.fail(
        1,
        "PUT",
        "/subscriptions/shop--Plain",
        refused(403, "PERMISSION_DENIED", "no"),
    );

    let error = plan(&cloud).await.unwrap().apply().await.unwrap_err();

    let made: Vec<_> = error
        .report()
        .changes
        .iter()
        .map(|change| change.name.as_str())
        .collect();
    assert_eq!(
        made,
        [
            "shop--orders",
            "shop--orders-failed",
            "shop--orders-failed",
            "Auditor",
            "Unsigned"
        ]
    );
    assert_eq!(error.failed().len(), 1);
    assert_eq!(error.failed()[0].change.name, "Plain");
    assert_eq!(error.not_tried().len(), 5);
    let text = error.to_string();
    for part in [
        "the set-up was not finished: 5 of 11 changes were made; the next run makes the rest",
        "failed: [+] subscription Plain",
        "projects/acme/subscriptions/shop--Plain was not made",
        "the caller needs roles/pubsub.editor: `gcloud projects add-iam-policy-binding acme",
        "not tried: [+] queue emails",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }

    let rest = plan(&cloud).await.unwrap();
    assert_eq!(rest.changes().count(), 6, "{rest}");
    rest.apply().await.unwrap();
    assert!(plan(&cloud).await.unwrap().is_empty());
}

#[tokio::test]
async fn too_many_requests_and_a_service_that_is_away_are_waited_for() {
    let cloud = Cloud::new().await;
    cloud.fail(
        2,
        "PUT",
        "/topics/shop--orders",
        refused(429, "RESOURCE_EXHAUSTED", "slower"),
    );
    cloud.fail(1, "POST", "/queues", ResponseTemplate::new(503));
    cloud.fail(1, "GET", "/subscriptions", refused(503, "UNAVAILABLE", "later"));

    plan(&cloud).await.unwrap().apply().await.unwrap();

    assert!(plan(&cloud).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_policy_that_somebody_else_changed_in_between_is_read_again() {
    let cloud = Cloud::new().await;
    cloud.fail(
        2,
        "POST",
        "shop--orders-failed:setIamPolicy",
        refused(409, "ABORTED", "the etag does not match"),
    );

    plan(&cloud).await.unwrap().apply().await.unwrap();

    assert!(plan(&cloud).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_somebody_else_made_in_between_is_fine_where_it_is_the_same_and_told_where_it_is_not() {
    let cloud = Cloud::new().await;
    let first = plan(&cloud).await.unwrap();
    let second = plan(&cloud).await.unwrap();
    let third = plan(&cloud).await.unwrap();

    first.apply().await.unwrap();
    second.apply().await.unwrap();
    let path = format!("{SUBSCRIPTIONS}/shop--Plain");
    let mut plain = cloud.get(&path).unwrap();
    plain["pushConfig"]["pushEndpoint"] = "https://other.example".into();
    cloud.put(&path, plain);
    let error = third.apply().await.unwrap_err();

    assert_eq!(
        error.failed()[0].error.to_string(),
        "projects/acme/subscriptions/shop--Plain was created by somebody else in the meantime, and differs: plan again"
    );
}

#[tokio::test]
async fn errors_say_which_command_helps() {
    for (method, path, answer, parts) in [
        (
            "GET",
            "/topics",
            refused(
                403,
                "PERMISSION_DENIED",
                "Cloud Pub/Sub API has not been used in project 1 before or it is disabled",
            ),
            [
                "projects/acme/topics was not read",
                "gcloud services enable pubsub.googleapis.com --project acme",
            ],
        ),
        (
            "GET",
            "/queues",
            refused(
                403,
                "PERMISSION_DENIED",
                "the caller lacks cloudtasks.queues.list",
            ),
            [
                "cloudtasks.queues.list",
                "the caller needs roles/cloudtasks.queueAdmin",
            ],
        ),
        (
            "GET",
            "/subscriptions",
            refused(401, "UNAUTHENTICATED", "no"),
            [
                "projects/acme/subscriptions was not read",
                "gcloud auth application-default login",
            ],
        ),
    ] {
        let cloud = Cloud::new().await;
        cloud.fail(1, method, path, answer);

        let error = format!("{:#}", plan(&cloud).await.unwrap_err());

        for part in parts {
            assert!(error.contains(part), "{part} in {error}");
        }
    }
}

#[tokio::test]
async fn what_somebody_else_deleted_in_between_is_deleted() {
    let cloud = Cloud::new().await;
    plan(&cloud).await.unwrap().apply().await.unwrap();
    let push = json!({"pushConfig": {"pushEndpoint": "https://shop.example/subscriptions/Gone"}});
    cloud.put(&format!("{SUBSCRIPTIONS}/shop--Gone"), push);
    cloud.fail(
        1,
        "DELETE",
        "/subscriptions/shop--Gone",
        refused(404, "NOT_FOUND", "it is gone"),
    );

    let setup = cloud.runtime().await.setup().project_number(NUMBER).prune();
    let report = setup.plan().await.unwrap().apply().await.unwrap();

    assert!(report.to_string().contains("\n[-] Gone"), "{report}");
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_explained() {
    let cloud = Cloud::new().await;
    let gone = refused(404, "NOT_FOUND", "Resource not found (resource=shop--orders).");
    cloud.fail(usize::MAX, "PUT", "/subscriptions/shop--Plain", gone);

    let error = plan(&cloud).await.unwrap().apply().await.unwrap_err().to_string();

    assert!(error.contains("shop--Plain was not made"), "{error}");
    assert!(error.contains("that the parent resource exists"), "{error}");
}

#[tokio::test]
async fn what_the_same_run_has_made_and_pub_sub_does_not_find_a_moment_later_is_tried_again() {
    let cloud = Cloud::new().await;
    let unknown = || refused(404, "NOT_FOUND", "Resource not found (resource=shop--orders).");
    for (method, path) in [
        ("PUT", "/subscriptions/shop--Plain"),
        ("PUT", "/subscriptions/shop--orders-failed"),
        ("GET", "/topics/shop--orders-failed:getIamPolicy"),
        ("GET", "/subscriptions/shop--Auditor:getIamPolicy"),
    ] {
        // The first look of a plan at a policy finds nothing either.
        cloud.fail(2, method, path, unknown());
    }

    plan(&cloud).await.unwrap().apply().await.unwrap();

    assert!(plan(&cloud).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_name_of_a_deleted_queue_is_explained() {
    let cloud = Cloud::new().await;
    let blocked = refused(
        400,
        "FAILED_PRECONDITION",
        "The queue cannot be created because a queue with this name existed too recently.",
    );
    cloud.fail(100, "POST", "/queues", blocked);

    let error = plan(&cloud).await.unwrap().apply().await.unwrap_err().to_string();

    assert!(error.contains("blocks the name for up to 7 days"), "{error}");
}
