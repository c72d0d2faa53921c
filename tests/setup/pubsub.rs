//! Topics, push subscriptions and permissions on the wire.

use cloud_tasks::setup::{Action, Plan, ResourceKind, SetupExt};
use serde_json::json;

use crate::cloud::{Auditor, Cloud, NUMBER, Placed, SUBSCRIPTIONS, TOPICS};
use crate::support::api::config;

const MEMBER: &str = "serviceAccount:service-123456@gcp-sa-pubsub.iam.gserviceaccount.com";

fn lines(plan: &Plan) -> Vec<String> {
    plan.changes()
        .map(|change| change.to_string().lines().next().unwrap().to_owned())
        .collect()
}

async fn plan(cloud: &Cloud) -> Plan {
    let setup = cloud.runtime().await.setup();
    setup
        .only_subscribers()
        .project_number(NUMBER)
        .plan()
        .await
        .unwrap()
}

#[tokio::test]
async fn everything_is_made_in_the_order_in_which_it_is_needed_and_a_second_plan_is_empty() {
    let cloud = Cloud::new().await;
    let first = plan(&cloud).await;
    assert_eq!(
        lines(&first),
        [
            "[+] topic shop--orders",
            "[+] topic shop--orders-failed",
            "[+] dead-letter subscription shop--orders-failed",
            "[+] subscription Auditor",
            "[+] subscription Plain",
            "[+] subscription Unsigned",
            "[+] IAM binding roles/pubsub.publisher on shop--orders-failed",
            "[+] IAM binding roles/pubsub.subscriber on shop--Auditor",
        ]
    );

    let report = first.apply().await.unwrap();
    let (before, calls) = (cloud.all(), cloud.calls().await.len());
    let second = plan(&cloud).await;

    assert!(second.is_empty(), "{second}");
    assert_eq!(second.to_string(), "Nothing to do for https://shop.example");
    assert_eq!(
        second.apply().await.unwrap().unchanged,
        ["Auditor", "Plain", "Unsigned"]
    );
    assert_eq!(cloud.all(), before);
    // Two lists and the two policies.
    assert_eq!(cloud.calls().await.len() - calls, 4);
    assert_eq!(
        report.to_string(),
        "Successfully initialized 3 subscribers to domain https://shop.example\n[+] Auditor\n[+] Plain\n[+] Unsigned\n\
         Successfully made 5 topics, dead-letter subscriptions and IAM bindings for domain https://shop.example\n\
         [+] topic shop--orders\n\
         [+] topic shop--orders-failed\n\
         [+] dead-letter subscription shop--orders-failed\n\
         [+] IAM binding roles/pubsub.publisher on shop--orders-failed\n\
         [+] IAM binding roles/pubsub.subscriber on shop--Auditor"
    );
}

#[tokio::test]
async fn a_subscription_is_made_with_everything_that_its_subscriber_says_and_nothing_else() {
    let cloud = Cloud::new().await;

    plan(&cloud).await.apply().await.unwrap();

    let push = |name: &str| {
        json!({
            "pushEndpoint": format!("https://shop.example/subscriptions/{name}"),
            "oidcToken": {
                "serviceAccountEmail": "tasks@acme.iam.gserviceaccount.com",
                "audience": "https://shop.example",
            },
        })
    };
    let (auditor, _) = &cloud
        .sent("PUT", &format!("/v1/{SUBSCRIPTIONS}/shop--Auditor"))
        .await[0];
    assert_eq!(
        *auditor,
        json!({
            "topic": format!("{TOPICS}/shop--orders"),
            "pushConfig": push("Auditor"),
            "ackDeadlineSeconds": 30,
            "messageRetentionDuration": "3600s",
            "filter": r#"attributes.kind = "loud""#,
            "deadLetterPolicy": {"deadLetterTopic": format!("{TOPICS}/shop--orders-failed"), "maxDeliveryAttempts": 7},
            "retryPolicy": {"minimumBackoff": "5s", "maximumBackoff": "60s"},
        })
    );
    let (plain, _) = &cloud
        .sent("PUT", &format!("/v1/{SUBSCRIPTIONS}/shop--Plain"))
        .await[0];
    assert_eq!(plain["pushConfig"], push("Plain"));
    let (unsigned, _) = &cloud
        .sent("PUT", &format!("/v1/{SUBSCRIPTIONS}/shop--Unsigned"))
        .await[0];
    assert_eq!(
        unsigned["pushConfig"],
        json!({"pushEndpoint": "https://shop.example/subscriptions/Unsigned"})
    );
    let letters = cloud
        .get(&format!("{SUBSCRIPTIONS}/shop--orders-failed"))
        .unwrap();
    assert_eq!(letters["topic"], format!("{TOPICS}/shop--orders-failed"));
    assert!(letters["pushConfig"].is_null());
}

#[tokio::test]
async fn only_what_differs_is_changed_and_the_plan_says_from_what_to_what() {
    let cloud = Cloud::new().await;
    plan(&cloud).await.apply().await.unwrap();
    let path = format!("{SUBSCRIPTIONS}/shop--Auditor");
    let mut auditor = cloud.get(&path).unwrap();
    auditor["pushConfig"]["oidcToken"]["audience"] = json!("https://old.example");
    auditor["retryPolicy"] = json!({"minimumBackoff": "5s", "maximumBackoff": "600s"});
    auditor["deadLetterPolicy"]["maxDeliveryAttempts"] = json!(5);
    auditor["labels"] = json!({"team": "by hand"});
    cloud.put(&path, auditor);

    let plan = plan(&cloud).await;
    assert_eq!(
        plan.to_string(),
        "To do for https://shop.example: 0 to add, 1 to change, 0 to delete\n\
         [~] subscription Auditor\n      \
         push_config: https://shop.example/subscriptions/Auditor, signed as tasks@acme.iam.gserviceaccount.com for \
         https://old.example -> https://shop.example/subscriptions/Auditor, signed as \
         tasks@acme.iam.gserviceaccount.com for https://shop.example\n      \
         retry_policy.maximum_backoff: 600s -> 60s\n      \
         dead_letter_policy.max_delivery_attempts: 5 -> 7"
    );
    let json = plan.to_json();
    assert_eq!(json["changes"][0]["action"], "change");
    assert_eq!(
        json["changes"][0]["fields"][1],
        json!({"field": "retry_policy.maximum_backoff", "old": "600s", "new": "60s"})
    );
    let report = plan.apply().await.unwrap();

    assert_eq!(
        report.names(Action::Change, ResourceKind::Subscription),
        ["Auditor"]
    );
    assert!(report.to_string().ends_with("\n[~] Auditor"), "{report}");
    let (change, _) = &cloud.sent("PATCH", &format!("/v1/{path}")).await[0];
    assert_eq!(change["updateMask"], "pushConfig,retryPolicy,deadLetterPolicy");
    let after = cloud.get(&path).unwrap();
    assert_eq!(
        after["retryPolicy"],
        json!({"minimumBackoff": "5s", "maximumBackoff": "60s"})
    );
    assert_eq!(after["labels"], json!({"team": "by hand"}));
}

#[tokio::test]
async fn an_empty_value_is_shown_as_none() {
    let cloud = Cloud::new().await;
    plan(&cloud).await.apply().await.unwrap();
    let path = format!("{SUBSCRIPTIONS}/shop--Auditor");
    cloud.set(&path, "/deadLetterPolicy", json!({"deadLetterTopic": ""}));
    cloud.set(&path, "/filter", json!(""));

    let text = plan(&cloud).await.to_string();

    for line in [
        "      dead_letter_policy.dead_letter_topic: (none) -> projects/acme/topics/shop--orders-failed\n",
        "      dead_letter_policy.max_delivery_attempts: (none) -> 7\n",
        "      filter: (none) -> attributes.kind = \"loud\"\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[tokio::test]
async fn what_the_code_leaves_open_stays_as_it_is() {
    let cloud = Cloud::new().await;
    plan(&cloud).await.apply().await.unwrap();
    let path = format!("{SUBSCRIPTIONS}/shop--Plain");
    let mut plain = cloud.get(&path).unwrap();
    plain["ackDeadlineSeconds"] = json!(120);
    plain["retryPolicy"] = json!({"minimumBackoff": "1s"});
    plain["pushConfig"]["attributes"] = json!({"x-goog-version": "v1"});
    cloud.put(&path, plain);

    assert!(plan(&cloud).await.is_empty());
}

#[tokio::test]
async fn a_filter_is_changed_only_where_losing_messages_is_allowed() {
    let cloud = Cloud::new().await;
    plan(&cloud).await.apply().await.unwrap();
    let path = format!("{SUBSCRIPTIONS}/shop--Auditor");
    let mut auditor = cloud.get(&path).unwrap();
    auditor["filter"] = json!("attributes:other");
    auditor["ackDeadlineSeconds"] = json!(60);
    auditor["labels"] = json!({"team": "by hand"});
    auditor["expirationPolicy"] = json!({});
    cloud.put(&path, auditor);

    let careful = plan(&cloud).await;
    assert_eq!(
        careful.to_string(),
        "To do for https://shop.example: 0 to add, 1 to change, 0 to delete\n\
         [~] subscription Auditor\n      ack_deadline_seconds: 60s -> 30s\n\
         left as it is, it needs `allow_data_loss`:\n\
         [~] subscription Auditor\n      filter: attributes:other -> attributes.kind = \"loud\"\n      \
         loses: unacknowledged messages, since the subscription is recreated; its tags, which Pub/Sub does not return \
         (`gcloud resource-manager tags bindings list \
         --parent=//pubsub.googleapis.com/projects/acme/subscriptions/shop--Auditor` lists them)"
    );
    let report = careful.apply().await.unwrap();
    assert_eq!(report.held_back.len(), 1);
    assert_eq!(cloud.get(&path).unwrap()["filter"], "attributes:other");

    let setup = cloud
        .runtime()
        .await
        .setup()
        .only_subscribers()
        .project_number(NUMBER);
    let grants_before = cloud.policy(&path);
    setup
        .allow_data_loss()
        .plan()
        .await
        .unwrap()
        .apply()
        .await
        .unwrap();

    let after = cloud.get(&path).unwrap();
    assert_eq!(after["filter"], r#"attributes.kind = "loud""#);
    // What the code leaves open stays, and what dead letters need is given anew.
    assert_eq!(
        (&after["labels"], &after["expirationPolicy"]),
        (&json!({"team": "by hand"}), &json!({}))
    );
    assert_eq!(cloud.policy(&path)["bindings"], grants_before["bindings"]);
    let deleted = format!("DELETE /v1/{path}");
    assert_eq!(
        cloud
            .calls()
            .await
            .iter()
            .filter(|call| **call == deleted)
            .count(),
        1
    );
    assert!(plan(&cloud).await.is_empty());
}

#[tokio::test]
async fn another_spelling_of_the_same_filter_is_no_difference() {
    let cloud = Cloud::new().await;
    plan(&cloud).await.apply().await.unwrap();
    let path = format!("{SUBSCRIPTIONS}/shop--Auditor");
    let mut auditor = cloud.get(&path).unwrap();
    auditor["filter"] = json!(r#"(attributes.kind="loud")"#);
    cloud.put(&path, auditor);

    let plan = plan(&cloud).await;

    assert!(plan.is_empty() && plan.held_back().is_empty(), "{plan}");
}

#[tokio::test]
async fn dead_letters_that_another_topic_takes_the_place_of_are_noted() {
    let cloud = Cloud::new().await;
    let path = format!("{SUBSCRIPTIONS}/shop--orders-failed");
    cloud.put(&path, json!({"topic": format!("{TOPICS}/other")}));

    let plan = plan(&cloud).await;

    assert_eq!(plan.warnings().len(), 1);
    assert!(plan.warnings()[0].contains("would be lost"), "{plan}");
}

#[tokio::test]
async fn permissions_are_added_to_what_is_there_and_nothing_else_is_touched() {
    let cloud = Cloud::new().await;
    let topic = format!("{TOPICS}/shop--orders-failed");
    cloud.put(&topic, json!({}));
    let conditional = json!({
        "role": "roles/pubsub.publisher",
        "members": ["user:eve@example.com"],
        "condition": {"title": "until friday", "expression": "request.time < timestamp(\"2030-01-01T00:00:00Z\")"},
    });
    let there = json!({
        "version": 3,
        "etag": "MQ==",
        "bindings": [conditional, {"role": "roles/pubsub.publisher", "members": ["user:ada@example.com"]}],
    });
    cloud.set_policy(&topic, there);

    plan(&cloud).await.apply().await.unwrap();

    let policy = cloud.policy(&topic);
    assert_eq!(policy["version"], 3);
    assert_eq!(policy["bindings"][0], conditional);
    assert_eq!(
        policy["bindings"][1],
        json!({"role": "roles/pubsub.publisher", "members": ["user:ada@example.com", MEMBER]})
    );
    assert_eq!(policy["bindings"].as_array().map(Vec::len), Some(2));
    let subscription = cloud.policy(&format!("{SUBSCRIPTIONS}/shop--Auditor"));
    assert_eq!(
        subscription["bindings"],
        json!([{"role": "roles/pubsub.subscriber", "members": [MEMBER]}])
    );
}

#[tokio::test]
async fn where_the_number_of_the_project_is_not_known_the_plan_says_what_it_did_not_look_at() {
    let cloud = Cloud::new().await;

    let plan = cloud
        .runtime()
        .await
        .setup()
        .only_subscribers()
        .plan()
        .await
        .unwrap();

    // A test may run where a metadata server is.
    if let [note] = plan.notes() {
        assert!(
            note.starts_with("skipped the IAM bindings of dead letters: the project's number is unknown"),
            "{note}"
        );
        assert!(lines(&plan).iter().all(|line| !line.contains("IAM")));
    }
}

#[tokio::test]
async fn one_publisher_or_one_subscriber_can_be_set_up_alone() {
    let cloud = Cloud::new().await;
    let runtime = cloud.runtime().await;

    runtime.scope(async { Placed::set_up().await }).await.unwrap();
    let after_publisher: Vec<_> = cloud.all().0.into_keys().collect();
    let plan = runtime
        .setup()
        .only::<Auditor>()
        .project_number(NUMBER)
        .plan()
        .await
        .unwrap();

    assert_eq!(after_publisher, [format!("{TOPICS}/shop--orders")]);
    assert_eq!(
        lines(&plan),
        [
            "[+] topic shop--orders-failed",
            "[+] dead-letter subscription shop--orders-failed",
            "[+] subscription Auditor",
            "[+] IAM binding roles/pubsub.publisher on shop--orders-failed",
            "[+] IAM binding roles/pubsub.subscriber on shop--Auditor",
        ]
    );
}

#[tokio::test]
async fn leftovers_are_deleted_only_when_asked_for_and_only_what_is_ours() {
    let cloud = Cloud::new().await;
    plan(&cloud).await.apply().await.unwrap();
    let ours = json!({"pushConfig": {"pushEndpoint": "https://shop.example/subscriptions/Gone"}});
    let elsewhere = json!({"pushConfig": {"pushEndpoint": "https://other.example/subscriptions/Gone"}});
    let by_hand = [
        ("shop--Moved", &elsewhere),
        ("shop--pulled-by-hand", &json!({})),
        ("shop-service--Gone", &ours),
        ("shop--billing--Gone", &ours),
        ("my-shop--Gone", &ours),
        ("Gone", &ours),
    ];
    for (name, subscription) in by_hand {
        cloud.put(&format!("{SUBSCRIPTIONS}/{name}"), subscription.clone());
    }
    let gone = format!("{SUBSCRIPTIONS}/shop--Gone");
    cloud.put(&gone, ours.clone());

    let careful = plan(&cloud).await;
    assert_eq!(careful.changes().count(), 0);
    assert!(!careful.is_empty());
    assert_eq!(
        careful.to_string().lines().next(),
        Some("Nothing to change for https://shop.example, but 1 held back and 0 to look at")
    );
    assert_eq!(careful.held_back()[0].reason, "it needs `prune`");
    careful.apply().await.unwrap();
    assert!(cloud.get(&gone).is_some());
    let setup = cloud
        .runtime()
        .await
        .setup()
        .only_subscribers()
        .project_number(NUMBER);
    let pruning = setup.prune().plan().await.unwrap();
    assert_eq!(lines(&pruning), ["[-] subscription Gone"]);
    let report = pruning.apply().await.unwrap();

    assert!(report.to_string().ends_with("\n[-] Gone"), "{report}");
    assert!(cloud.get(&gone).is_none());
    for (name, _) in by_hand {
        assert!(cloud.get(&format!("{SUBSCRIPTIONS}/{name}")).is_some(), "{name}");
    }
}

#[tokio::test]
async fn without_the_name_of_an_application_nothing_is_deleted() {
    let cloud = Cloud::new().await;
    let push = json!({"pushConfig": {"pushEndpoint": "https://shop.example/subscriptions/Gone"}});
    for name in ["Gone", "--Gone", "shop--Gone"] {
        cloud.put(&format!("{SUBSCRIPTIONS}/{name}"), push.clone());
    }
    let runtime = cloud.builder(config()).build().await.unwrap();

    let plan = runtime
        .setup()
        .only_subscribers()
        .project_number(NUMBER)
        .prune()
        .plan()
        .await
        .unwrap();

    assert!(
        plan.changes().all(|change| change.action == Action::Add),
        "{plan}"
    );
    assert!(plan.held_back().is_empty());
}

#[tokio::test]
async fn a_subscription_that_pushes_bare_bodies_is_said_not_to_work_unless_its_subscriber_declares_them() {
    let cloud = Cloud::new().await;
    plan(&cloud).await.apply().await.unwrap();
    for (wrapper, noted) in [(json!({}), true), (json!({"writeMetadata": true}), false)] {
        let path = cloud
            .all()
            .0
            .keys()
            .find(|name| name.ends_with("/subscriptions/shop--Plain"))
            .cloned()
            .unwrap();
        let mut there = cloud.get(&path).unwrap();
        there["pushConfig"]["noWrapper"] = wrapper;
        cloud.put(&path, there);

        let plan = plan(&cloud).await;

        let warnings = plan
            .warnings()
            .iter()
            .filter(|warning| warning.contains("noWrapper: {}"))
            .count();
        assert_eq!(warnings, usize::from(noted), "{plan}");
    }
}
