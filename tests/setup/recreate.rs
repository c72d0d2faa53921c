//! Subscriptions that are recreated, and everything on them that others have made.

use cloud_tasks::Runtime;
use cloud_tasks::event::Topic;
use cloud_tasks::setup::{Plan, Setup};
use cloud_tasks::task::Registered;
use futures_util::future::join_all;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::cloud::{Cloud, NUMBER, SUBSCRIPTIONS, TOPICS};
use crate::labels::Labelled;
use crate::support::api::{config, refused};

const MEMBER: &str = "serviceAccount:service-123456@gcp-sa-pubsub.iam.gserviceaccount.com";

fn setup(runtime: &Runtime) -> Setup {
    runtime.setup().only_subscribers().project_number(NUMBER)
}

async fn plan(setup: Setup) -> Plan {
    setup.plan().await.unwrap()
}

fn auditor() -> String {
    format!("{SUBSCRIPTIONS}/shop--Auditor")
}

/// A subscription with another filter, and with everything that others can add to it.
async fn set_up() -> (Cloud, Runtime) {
    let cloud = Cloud::new().await;
    let runtime = cloud.runtime().await;
    plan(setup(&runtime)).await.apply().await.unwrap();
    let path = auditor();
    let by_others = [
        ("/filter", json!("attributes:other")),
        ("/ackDeadlineSeconds", json!(60)),
        ("/labels", json!({"team": "by hand"})),
        ("/expirationPolicy", json!({})),
        ("/retainAckedMessages", json!(true)),
        (
            "/messageTransforms",
            json!([{"javascriptUdf": {"functionName": "redact", "code": "function redact(m) { return null; }"}}]),
        ),
        ("/tags", json!({"123/environment": "production"})),
        ("/retryPolicy/jitterOfTheFuture", json!("5s")),
        ("/pushConfig/attributes", json!({"x-goog-version": "v1"})),
        ("/pushConfig/noWrapper", json!({"writeMetadata": true})),
        ("/pushConfig/compressionOfTheFuture", json!("GZIP")),
        ("/deadLetterPolicy/replayOfTheFuture", json!(true)),
        ("/fieldOfTheFuture", json!({"a": [1, {"b": null}]})),
        ("/state", json!("ACTIVE")),
        ("/topicMessageRetentionDuration", json!("86400s")),
    ];
    for (field, value) in by_others {
        cloud.set(&path, field, value);
    }
    (cloud, runtime)
}

/// Grants of others, one of them with a condition.
fn policy() -> Value {
    json!({
        "version": 3,
        "etag": "MQ==",
        "bindings": [
            {"role": "roles/pubsub.viewer", "members": ["group:audit@example.com"]},
            {
                "role": "roles/pubsub.subscriber",
                "members": ["user:eve@example.com"],
                "condition": {"title": "until friday", "expression": "request.time < timestamp(\"2030-01-01T00:00:00Z\")"},
            },
            {"role": "roles/pubsub.subscriber", "members": [MEMBER]},
        ],
        "auditConfigs": [{"service": "pubsub.googleapis.com", "auditLogConfigs": [{"logType": 2}]}],
        "fieldOfTheFuture": "kept",
    })
}

#[tokio::test]
async fn a_recreated_subscription_keeps_everything_that_the_code_does_not_say() {
    let (cloud, runtime) = set_up().await;
    let path = auditor();
    let mut expected = cloud.get(&path).unwrap();
    expected["filter"] = json!(r#"attributes.kind = "loud""#);
    expected["ackDeadlineSeconds"] = json!(30);
    expected["fieldOfTheFuture"] = json!({"a": [1, {"b": null}]});
    // Only the service sets these.
    for output_only in ["state", "topicMessageRetentionDuration"] {
        expected.as_object_mut().unwrap().remove(output_only);
    }

    plan(setup(&runtime).allow_data_loss())
        .await
        .apply()
        .await
        .unwrap();

    assert_eq!(cloud.get(&path).unwrap(), expected);
    assert!(plan(setup(&runtime)).await.is_empty());
}

#[tokio::test]
async fn a_change_in_place_keeps_the_rest_of_a_policy() {
    let (cloud, runtime) = set_up().await;
    let path = auditor();
    cloud.set(&path, "/filter", json!(r#"attributes.kind = "loud""#));
    cloud.set(&path, "/retryPolicy/minimumBackoff", json!("9s"));
    cloud.set(&path, "/pushConfig/pushEndpoint", json!("https://old.example"));
    cloud.set(&path, "/deadLetterPolicy/maxDeliveryAttempts", json!(9));

    plan(setup(&runtime)).await.apply().await.unwrap();

    let after = cloud.get(&path).unwrap();
    assert_eq!(
        after["retryPolicy"],
        json!({"minimumBackoff": "5s", "maximumBackoff": "60s", "jitterOfTheFuture": "5s"})
    );
    assert_eq!(after["deadLetterPolicy"]["replayOfTheFuture"], true);
    assert_eq!(after["deadLetterPolicy"]["maxDeliveryAttempts"], 7);
    assert_eq!(after["pushConfig"]["compressionOfTheFuture"], "GZIP");
    assert_eq!(after["pushConfig"]["noWrapper"], json!({"writeMetadata": true}));
    assert_eq!(after["labels"], json!({"team": "by hand"}));
}

#[tokio::test]
async fn the_iam_policy_of_a_recreated_subscription_is_read_before_and_written_after() {
    let (cloud, runtime) = set_up().await;
    let path = auditor();
    let foreign = policy();
    cloud.set_policy(&path, foreign.clone());

    plan(setup(&runtime).allow_data_loss())
        .await
        .apply()
        .await
        .unwrap();

    let mut after = cloud.policy(&path);
    after["etag"] = foreign["etag"].clone();
    assert_eq!(after, foreign);
    let calls = cloud.calls().await;
    let deleted = calls
        .iter()
        .position(|call| call.starts_with("DELETE") && call.ends_with("/shop--Auditor"))
        .unwrap();
    assert!(
        calls[..deleted]
            .iter()
            .any(|call| call.ends_with("shop--Auditor:getIamPolicy"))
    );
}

#[tokio::test]
async fn a_plan_names_what_a_recreated_subscription_loses() {
    let (cloud, runtime) = set_up().await;
    let path = auditor();
    let text = async |cloud: &Cloud| {
        let _ = cloud;
        let plan = plan(setup(&runtime)).await;
        plan.held_back()[0].change.data_loss.clone().unwrap()
    };

    let with_tags = text(&cloud).await;
    cloud.set(&path, "/tags", Value::Null);
    cloud.set(&path, "/retainAckedMessages", json!(false));
    cloud.set(
        &path,
        "/analyticsHubSubscriptionInfo",
        json!({"listing": "projects/p/locations/eu/dataExchanges/e/listings/l"}),
    );
    let without = text(&cloud).await;

    assert_eq!(
        with_tags,
        "unacknowledged messages, since the subscription is recreated; the acknowledged messages that it retains"
    );
    assert_eq!(
        without,
        "unacknowledged messages, since the subscription is recreated; its tags, which Pub/Sub does not return (`gcloud \
         resource-manager tags bindings list --parent=//pubsub.googleapis.com/projects/acme/subscriptions/shop--Auditor` \
         lists them); its link to the Analytics Hub listing projects/p/locations/eu/dataExchanges/e/listings/l"
    );
}

#[tokio::test]
async fn a_subscription_whose_policy_cannot_be_read_is_not_recreated_unless_iam_is_left_to_others() {
    let (cloud, runtime) = set_up().await;
    let path = auditor();
    cloud.set_policy(&path, policy());
    cloud.fail(
        usize::MAX,
        "GET",
        ":getIamPolicy",
        refused(
            403,
            "PERMISSION_DENIED",
            "User not authorized to perform this action.",
        ),
    );

    let refused = plan(setup(&runtime).allow_data_loss()).await;
    let skipped = plan(setup(&runtime).allow_data_loss().skip_iam()).await;
    let loss = skipped.changes().next().unwrap().data_loss.clone().unwrap();
    let calls = cloud.calls().await.len();
    skipped.apply().await.unwrap();

    assert_eq!(
        refused.held_back()[0].reason,
        "its IAM policy cannot be read and would be lost: it needs `roles/pubsub.admin`, or `skip_iam`"
    );
    assert!(loss.ends_with("; its IAM policy"), "{loss}");
    assert_eq!(cloud.get(&path).unwrap()["filter"], r#"attributes.kind = "loud""#);
    assert!(
        !cloud.calls().await[calls..]
            .iter()
            .any(|call| call.contains("IamPolicy"))
    );
}

#[tokio::test]
async fn a_subscription_that_somebody_has_changed_since_the_plan_is_not_recreated() {
    let (cloud, runtime) = set_up().await;
    let path = auditor();
    let plan = plan(setup(&runtime).allow_data_loss()).await;
    cloud.set(&path, "/labels/team", json!("somebody else"));
    let before = cloud.get(&path);

    let error = plan.apply().await.unwrap_err();

    assert_eq!(
        error.failed()[0].error.to_string(),
        format!("{path} was not recreated: somebody else has changed it since the plan; plan again")
    );
    assert_eq!(cloud.get(&path), before);
    assert_eq!(cloud.count("DELETE").await, 0);
}

#[tokio::test]
async fn a_subscription_that_is_deleted_and_not_made_again_is_told_with_all_its_settings() {
    let (cloud, runtime) = set_up().await;
    cloud.set_policy(&auditor(), policy());
    cloud.fail(
        usize::MAX,
        "PUT",
        "/subscriptions/shop--Auditor",
        refused(400, "INVALID_ARGUMENT", "The script does not compile."),
    );

    let error = plan(setup(&runtime).allow_data_loss())
        .await
        .apply()
        .await
        .unwrap_err();

    let text = format!("{:#}", error.failed()[0].error);
    for part in [
        "was deleted and not made again: its messages are lost, and those that are published to projects/acme/topics/shop--orders \
         until it exists",
        "make it again: `curl -X PUT -H \"Authorization: Bearer $(gcloud auth print-access-token)\"",
        "/v1/projects/acme/subscriptions/shop--Auditor'` and `curl -X POST",
        "/v1/projects/acme/subscriptions/shop--Auditor:setIamPolicy'`",
        "The script does not compile.",
        r#""functionName":"redact""#,
        r#""fieldOfTheFuture":{"#,
        "group:audit@example.com",
        "until friday",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test]
async fn a_recreated_subscription_that_is_not_known_at_once_gets_its_policy_a_moment_later() {
    let (cloud, runtime) = set_up().await;
    let path = auditor();
    cloud.set_policy(&path, policy());
    let plan = plan(setup(&runtime).allow_data_loss()).await;
    let unknown = || refused(404, "NOT_FOUND", "Resource not found (resource=shop--Auditor).");
    cloud.fail(2, "PUT", "/subscriptions/shop--Auditor", unknown());
    cloud.fail(
        1,
        "PUT",
        "/subscriptions/shop--Auditor",
        ResponseTemplate::new(503),
    );
    cloud.fail(2, "POST", "shop--Auditor:setIamPolicy", unknown());

    plan.apply().await.unwrap();

    assert_eq!(cloud.policy(&path)["bindings"], policy()["bindings"]);
    assert_eq!(
        cloud.get(&path).unwrap()["topic"],
        format!("{TOPICS}/shop--orders")
    );
}

/// The path of the subscription with which new settings are tried out.
fn trial() -> String {
    format!("{}~trial", auditor())
}

/// The calls that change something.
async fn changes(cloud: &Cloud) -> Vec<String> {
    let calls = cloud.calls().await.into_iter();
    calls
        .filter(|call| {
            ["PUT /v1/projects/acme/sub", "DELETE"]
                .iter()
                .any(|start| call.starts_with(start))
        })
        .map(|call| call.replace("/v1/projects/acme/subscriptions/", ""))
        .collect()
}

#[tokio::test]
async fn new_settings_are_tried_out_with_a_subscription_that_matches_nothing_before_the_old_one_is_deleted() {
    let (cloud, runtime) = set_up().await;
    let before = changes(&cloud).await.len();
    let plan = plan(setup(&runtime).allow_data_loss()).await;
    let note = plan.notes().last().unwrap().clone();

    plan.apply().await.unwrap();

    assert_eq!(
        note,
        format!(
            "{} is recreated only if Pub/Sub accepts its settings for {}, which receives no messages and is deleted at once",
            auditor(),
            trial()
        )
    );
    assert_eq!(
        changes(&cloud).await[before..],
        [
            "PUT shop--Auditor~trial",
            "DELETE shop--Auditor~trial",
            "DELETE shop--Auditor",
            "PUT shop--Auditor"
        ]
    );
    let mut tried = cloud
        .sent("PUT", &format!("/v1/{}", trial()))
        .await
        .pop()
        .unwrap()
        .0;
    assert_eq!(
        tried["filter"],
        r#"(attributes.kind = "loud") AND attributes:trial AND NOT attributes:trial"#
    );
    let made = cloud
        .sent("PUT", &format!("/v1/{}", auditor()))
        .await
        .pop()
        .unwrap()
        .0;
    tried["filter"] = made["filter"].clone();
    assert_eq!(tried, made);
}

#[tokio::test]
async fn a_subscription_whose_new_settings_are_refused_stays_with_its_messages() {
    // At once, since some are tried again for seconds.
    let cases = [
        (
            1,
            refused(400, "INVALID_ARGUMENT", "The script does not compile."),
        ),
        (
            1,
            refused(403, "PERMISSION_DENIED", "The account may not be acted as."),
        ),
        (
            6,
            refused(404, "NOT_FOUND", "Resource not found (resource=shop--orders)."),
        ),
        (
            usize::MAX,
            refused(429, "RESOURCE_EXHAUSTED", "Too many subscriptions."),
        ),
        (usize::MAX, refused(503, "UNAVAILABLE", "Later.")),
    ];
    join_all(cases.map(|(times, answer)| refuse_the_trial(times, answer))).await;
}

/// Answers so many times like this when the new settings are tried out.
async fn refuse_the_trial(times: usize, answer: ResponseTemplate) {
    let (cloud, runtime) = set_up().await;
    let before = cloud.get(&auditor());
    cloud.fail(times, "PUT", "/subscriptions/shop--Auditor~trial", answer);

    let error = plan(setup(&runtime).allow_data_loss())
        .await
        .apply()
        .await
        .unwrap_err();

    let text = format!("{:#}", error.failed()[0].error);
    let start = format!(
        "{} was not recreated and keeps its messages: its new settings were tried out as {} and not accepted: ",
        auditor(),
        trial()
    );
    assert!(text.starts_with(&start), "{text}");
    assert_eq!(cloud.get(&auditor()), before, "{text}");
    assert_eq!(cloud.get(&trial()), None, "{text}");
    assert!(
        !changes(&cloud).await.contains(&"DELETE shop--Auditor".to_owned()),
        "{text}"
    );
}

#[tokio::test]
async fn a_trial_that_cannot_be_deleted_stops_the_set_up_and_the_next_one_deletes_it() {
    let (cloud, runtime) = set_up().await;
    let before = cloud.get(&auditor());
    cloud.fail(
        1,
        "DELETE",
        "/subscriptions/shop--Auditor~trial",
        refused(403, "PERMISSION_DENIED", "no"),
    );

    let error = plan(setup(&runtime).allow_data_loss())
        .await
        .apply()
        .await
        .unwrap_err();
    let kept = (cloud.get(&auditor()), cloud.get(&trial()).is_some());
    // What is left of it does no harm to a set-up that prunes, either.
    let next = plan(setup(&runtime).prune()).await;
    let text = next.to_string();
    next.apply().await.unwrap();

    let told = error.failed()[0].error.to_string();
    assert!(
        told.ends_with("was not deleted; the next set-up deletes it"),
        "{told}"
    );
    assert_eq!(kept, (before, true));
    assert_eq!(
        text.matches("[-] subscription shop--Auditor~trial").count(),
        1,
        "{text}"
    );
    assert!(
        text.contains(&format!(
            "note: {} is left of a set-up that was broken off",
            trial()
        )),
        "{text}"
    );
    assert_eq!(cloud.get(&trial()), None);
}

#[tokio::test]
async fn a_trial_that_a_set_up_has_left_is_replaced_and_a_lost_answer_leaves_none() {
    let (cloud, runtime) = set_up().await;
    cloud.put(
        &trial(),
        json!({"filter": "attributes:trial AND NOT attributes:trial", "topic": "other"}),
    );
    cloud.fail(
        1,
        "PUT",
        "/subscriptions/shop--Auditor~trial",
        ResponseTemplate::new(503),
    );

    plan(setup(&runtime).allow_data_loss())
        .await
        .apply()
        .await
        .unwrap();

    assert_eq!(cloud.get(&trial()), None);
    assert!(plan(setup(&runtime)).await.is_empty());
}

#[tokio::test]
async fn a_subscription_of_somebody_else_with_the_name_of_a_trial_is_left_alone() {
    let (cloud, runtime) = set_up().await;
    cloud.set(&auditor(), "/filter", json!(r#"attributes.kind = "loud""#));
    let push = json!({"filter": "attributes:a", "pushConfig": {"pushEndpoint": "https://other.example"}});
    cloud.put(&trial(), push);

    let plan = plan(setup(&runtime)).await;

    assert!(plan.changes().all(|change| change.resource != trial()), "{plan}");
}

#[tokio::test]
async fn names_that_a_url_would_decode_are_not_taken_for_others() {
    let cloud = Cloud::new().await;
    // What the names below would be, if they were decoded.
    let neighbours = [
        format!("{SUBSCRIPTIONS}/shop--loud-ones"),
        format!("{SUBSCRIPTIONS}/shop--failed-ones"),
        format!("{TOPICS}/shop--failed-ones"),
    ];
    for neighbour in &neighbours {
        cloud.put(neighbour, json!({"topic": "by hand", "labels": {"owner": "ann"}}));
    }
    let before = neighbours
        .clone()
        .map(|path| (cloud.get(&path), cloud.policy(&path)));
    let registration = || {
        Labelled::__REGISTRATION
            .subscription("loud%2Dones")
            .dead_letter_topic(|| Topic::new("failed%2Dones"))
    };
    for (what, registration) in [
        ("made", registration()),
        ("changed", registration().labels(&[("team", "orders")])),
        (
            "recreated",
            registration()
                .labels(&[("team", "orders")])
                .filter("attributes:loud"),
        ),
    ] {
        let builder = cloud.builder(config().with_app_name("shop"));
        let runtime = builder.register_all([registration]).build().await.unwrap();
        let setup = || {
            let setup = runtime.setup().only::<Labelled>();
            setup.project_number(NUMBER).allow_data_loss()
        };

        plan(setup()).await.apply().await.expect(what);

        let again = plan(setup()).await;
        assert!(again.is_empty(), "{what}: {again}");
    }

    let made = cloud.get(&format!("{SUBSCRIPTIONS}/shop--loud%2Dones")).unwrap();
    assert_eq!(
        (&made["filter"], &made["labels"]),
        (&json!("attributes:loud"), &json!({"team": "orders"}))
    );
    assert!(
        cloud
            .get(&format!("{SUBSCRIPTIONS}/shop--failed%2Dones"))
            .is_some()
    );
    let granted = cloud.policy(&format!("{TOPICS}/shop--failed%2Dones"));
    assert_eq!(granted["bindings"][0]["role"], "roles/pubsub.publisher");
    let after = neighbours.map(|path| (cloud.get(&path), cloud.policy(&path)));
    assert_eq!(after, before);
}
