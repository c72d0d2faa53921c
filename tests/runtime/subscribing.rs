use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::event::Subscription;
use cloud_tasks::{Config, ErrorKind, PublisherTask, Runtime};
use serde_json::{Value, json};

use crate::events::{AccountClosed, Legacy, action};
use crate::tasks::{Log, answer, post, send};

async fn eager(log: &Log) -> Runtime {
    let config = Config::default()
        .with_app_name("shop")
        .with_propagated_headers(["traceparent", "x-request-id"]);
    Runtime::eager()
        .config(config)
        .state(log.clone())
        .build()
        .await
        .unwrap()
}

fn encoded(data: impl AsRef<[u8]>) -> String {
    STANDARD.encode(data)
}

fn pushed(data: &Value) -> String {
    json!({"message": {"data": encoded(data.to_string()), "messageId": "1"}, "subscription": "s"}).to_string()
}

fn action_of(name: &str) -> String {
    pushed(&json!({"user_id": 7, "action": name}))
}

async fn raw(body: Value) -> Value {
    let (status, answered) = answer(
        &eager(&Log::default()).await,
        post("/subscriptions/Raw", body.to_string()),
    )
    .await;
    assert_eq!(status, 200, "{answered}");
    answered["result"].clone()
}

#[tokio::test]
async fn a_push_runs_its_subscriber_and_is_acknowledged() {
    let log = Log::default();

    let response = send(
        &eager(&log).await,
        post("/subscriptions/Auditor", action_of("login")),
    )
    .await;

    assert_eq!(response.status(), 200);
    assert_eq!(
        response.body(),
        &r#"{"result":"audited login","status":"executed"}"#
    );
    assert_eq!(log.lines(), ["audited login {}"]);
}

#[tokio::test]
async fn everything_that_a_push_says_reaches_the_subscriber() {
    let told = raw(json!({
        "message": {
            "data": encoded([0, 159, 146, 150]),
            "attributes": {"a": "1"},
            "messageId": "136969346945",
            "message_id": "136969346945",
            "publishTime": "2023-11-14T22:13:20.5Z",
            "publish_time": "2023-11-14T22:13:20.5Z",
            "orderingKey": "key",
        },
        "subscription": "projects/p/subscriptions/shop--Raw",
        "deliveryAttempt": 3,
        "addedByGoogleTomorrow": {"x": 1},
    }))
    .await;

    assert_eq!(
        told,
        json!({
            "bytes": [0, 159, 146, 150],
            "attributes": {"a": "1"},
            "id": "136969346945",
            "publish_time": 1_700_000_000,
            "ordering_key": "key",
            "delivery_attempt": 3,
            "subscription": "projects/p/subscriptions/shop--Raw",
            "attempt": 3,
        })
    );
}

#[tokio::test]
async fn data_and_attributes_may_be_absent_or_null_and_either_spelling_will_do() {
    for message in [
        json!({}),
        json!({"data": null, "attributes": null}),
        json!({"data": "", "message_id": "5"}),
        json!({"messageId": "5", "publish_time": null}),
    ] {
        let told = raw(json!({ "message": message })).await;

        assert_eq!(told["bytes"], json!([]));
        assert_eq!(told["attributes"], json!({}));
        assert!(told["id"] == "5" || told["id"] == "");
    }
}

#[tokio::test]
async fn base64_is_read_padded_or_not_and_of_either_alphabet() {
    for data in ["+/8=", "+/8", "-_8=", "-_8"] {
        assert_eq!(
            raw(json!({"message": {"data": data}})).await["bytes"],
            json!([251, 255]),
            "{data}"
        );
    }
}

#[tokio::test]
async fn an_unwrapped_push_is_its_body_and_says_the_rest_in_headers() {
    let mut request = post("/subscriptions/Raw", &b"\xff\x00plain"[..]);
    for (name, value) in [
        ("x-goog-pubsub-subscription-name", "projects/p/subscriptions/s"),
        ("x-goog-pubsub-message-id", "77"),
        ("x-goog-pubsub-publish-time", "2023-11-14T22:13:20Z"),
        ("x-goog-pubsub-ordering-key", "k"),
        ("priority", "high"),
        ("content-type", "application/octet-stream"),
        ("user-agent", "APIs-Google"),
        ("authorization", "Bearer hunter2"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }

    let (status, body) = answer(&eager(&Log::default()).await, request).await;

    assert_eq!(status, 200);
    let told = &body["result"];
    assert_eq!(told["bytes"], json!([255, 0, 112, 108, 97, 105, 110]));
    assert_eq!(told["attributes"], json!({"priority": "high"}));
    assert_eq!((&told["id"], &told["ordering_key"]), (&json!("77"), &json!("k")));
    assert_eq!(
        (&told["subscription"], &told["publish_time"]),
        (&json!("projects/p/subscriptions/s"), &json!(1_700_000_000))
    );
}

#[tokio::test]
async fn only_handled_messages_are_acknowledged() {
    let runtime = eager(&Log::default()).await;
    let discarded = json!({"result": null, "status": "discarded"});
    let failed = json!({"error": "Task Auditor failed", "status": "failed"});
    for (name, expected) in [
        ("discard", (200, discarded)),
        ("discard with 204", (204, json!(null))),
        ("discard with 206", (500, failed.clone())),
        ("fail", (500, failed.clone())),
        ("panic", (500, failed)),
    ] {
        assert_eq!(
            answer(&runtime, post("/subscriptions/Auditor", action_of(name))).await,
            expected,
            "{name}"
        );
    }
}

#[tokio::test]
async fn bad_input_gets_a_clear_answer_and_is_not_acknowledged() {
    let log = Log::default();
    let runtime = eager(&log).await;
    let cannot = |why: &str| format!("Task Auditor cannot read its arguments: {why}");
    for (body, error) in [
        (
            String::new(),
            cannot("the body is empty; expected the JSON of the task's arguments"),
        ),
        (
            "{".into(),
            cannot("EOF while parsing an object at line 1 column 1"),
        ),
        ("{}".into(), cannot("missing field `message` at line 1 column 2")),
        (
            r#"{"message": 7}"#.into(),
            cannot("message: invalid type: integer, expected struct WrappedMessage at line 1 column 13"),
        ),
        (
            r#"{"message": {"data": "abcde"}}"#.into(),
            cannot("message.data: it is not base64"),
        ),
        (
            r#"{"message": {"data": "ab*="}}"#.into(),
            cannot("message.data: it is not base64"),
        ),
        (
            r#"{"message": {"data": "eyJ1c2Vy"}}"#.into(),
            cannot("EOF while parsing a string at line 1 column 6"),
        ),
        (
            json!({"message": {"data": encoded([0xff, 0xfe])}}).to_string(),
            cannot("expected value at line 1 column 1"),
        ),
        (
            json!({"message": {"data": encoded(r#"{"user_id": "hunter2"}"#)}}).to_string(),
            cannot("user_id: invalid type: string, expected u64 at line 1 column 21"),
        ),
        (
            r#"{"message": {"attributes": {"a": ["hunter2"]}}}"#.into(),
            cannot("message.attributes.a: invalid type: sequence, expected a string at line 1 column 33"),
        ),
    ] {
        let (status, answered) = answer(&runtime, post("/subscriptions/Auditor", body.clone())).await;

        assert_eq!(status, 400, "{body}");
        assert_eq!(answered, json!({ "error": error }), "{body}");
    }
    assert!(log.lines().is_empty());
}

#[tokio::test]
async fn an_unknown_subscription_and_a_task_that_is_not_a_subscriber_are_not_found() {
    let runtime = eager(&Log::default()).await;
    for name in ["Nobody", "Add", "UserAction"] {
        let (status, body) = answer(&runtime, post(&format!("/subscriptions/{name}"), action_of("x"))).await;

        assert_eq!(
            (status, body),
            (404, json!({"error": format!("Task {name} not found")}))
        );
    }
}

#[tokio::test]
async fn a_message_of_ten_megabytes_passes_and_a_push_beyond_the_limit_does_not() {
    let runtime = eager(&Log::default()).await;
    let big = json!({"message": {"data": encoded(vec![b'x'; 10_000_000])}}).to_string();
    let huge = json!({"message": {"data": encoded(vec![b'x'; 12_000_000])}}).to_string();

    let passed = send(&runtime, post("/subscriptions/Raw", big)).await.status();
    let refused = answer(&runtime, post("/subscriptions/Raw", huge)).await;

    assert_eq!(passed, 200);
    assert_eq!(
        refused,
        (413, json!({"error": "The body is larger than 14680064 bytes"}))
    );
}

#[tokio::test]
async fn a_megabyte_of_attributes_is_read() {
    let attributes: Value = (0..1000)
        .map(|n| (format!("k{n}"), json!("x".repeat(1000))))
        .collect();

    let told = raw(json!({"message": {"attributes": attributes}})).await;

    assert_eq!(told["attributes"].as_object().unwrap().len(), 1000);
}

#[tokio::test]
async fn a_message_that_the_parser_refuses_is_not_acknowledged_and_its_error_is_not_sent() {
    let body = json!({"message": {"data": encoded("refuse me")}}).to_string();

    let (status, answered) = answer(&eager(&Log::default()).await, post("/subscriptions/Raw", body)).await;

    assert_eq!(status, 400);
    assert_eq!(
        answered["error"],
        "Task Raw cannot read its arguments: its parser refused the content"
    );
}

#[tokio::test]
async fn attributes_are_read_into_a_struct_numbers_too() {
    let log = Log::default();
    let push = |attributes: Value| {
        json!({"message": {"data": encoded(r#"{"user_id": 1, "action": "a"}"#), "attributes": attributes}})
            .to_string()
    };
    let runtime = eager(&log).await;

    let fine = answer(
        &runtime,
        post(
            "/subscriptions/Pager",
            push(json!({"priority": "high & mighty", "level": "3"})),
        ),
    )
    .await;
    let bad = answer(
        &runtime,
        post("/subscriptions/Pager", push(json!({"level": "3"}))),
    )
    .await;

    assert_eq!(fine.0, 200);
    assert_eq!(log.lines(), ["paged for a: high & mighty Some(3)"]);
    assert_eq!(
        bad,
        (
            400,
            json!({"error": "Task Pager cannot read its arguments: attributes: missing field `priority`"})
        )
    );
}

#[tokio::test]
async fn headers_are_taken_from_the_message_by_the_allow_list_alone_and_stripped_from_the_content() {
    let log = Log::default();
    let content = r#"{"user_id": 7, "action": "login", "_http_headers": {"Traceparent": "00-1-2-01", "Authorization": "Bearer x"}}"#;
    let body = json!({"message": {"data": encoded(content)}}).to_string();

    answer(&eager(&log).await, post("/subscriptions/Auditor", body)).await;

    assert_eq!(log.lines(), ["audited login {} \"00-1-2-01\""]);
}

#[tokio::test]
async fn the_trace_also_comes_from_attributes() {
    let log = Log::default();
    let body = json!({"message": {
        "data": encoded(r#"{"user_id": 7, "action": "login"}"#),
        "attributes": {"googclient_traceparent": "00-3-4-01"},
    }})
    .to_string();

    answer(&eager(&log).await, post("/subscriptions/Auditor", body)).await;

    assert_eq!(
        log.lines(),
        ["audited login {\"googclient_traceparent\": \"00-3-4-01\"} \"00-3-4-01\""]
    );
}

#[tokio::test]
async fn stripping_headers_leaves_every_other_member_to_the_letter() {
    let content = r#"{ "b" : 12345678901234567890.10, "_http_headers": {}, "a\n":[ 1 ] }"#;

    let told = raw(json!({"message": {"data": encoded(content)}})).await;

    let bytes: Vec<u8> = serde_json::from_value(told["bytes"].clone()).unwrap();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        r#"{"b":12345678901234567890.10,"a\n":[ 1 ]}"#
    );
}

#[tokio::test]
async fn eager_publishing_runs_every_subscriber_whose_filter_matches_over_the_wire_form() {
    let log = Log::default();
    let runtime = eager(&log).await;

    action("login").sync().on(&runtime).await.unwrap();
    action("breach")
        .asap()
        .attribute("priority", "high")
        .on(&runtime)
        .await
        .unwrap();
    AccountClosed { id: 5 }.sync().on(&runtime).await.unwrap();
    Legacy(json!({})).sync().on(&runtime).await.unwrap();

    assert_eq!(
        log.lines(),
        [
            "audited login {}",
            "audited breach {\"priority\": \"high\"}",
            "paged for breach: high None",
            "cleaned 5",
        ]
    );
}

#[tokio::test]
async fn a_subscribers_failure_reaches_the_publishing_caller_after_all_have_run() {
    let log = Log::default();
    let runtime = eager(&log).await;

    let one = action("fail").sync().on(&runtime).await.unwrap_err();
    let two = action("fail")
        .asap()
        .attribute("priority", "high")
        .on(&runtime)
        .await
        .unwrap_err();
    let discarded = action("discard").sync().on(&runtime).await;

    assert_eq!(one.kind(), ErrorKind::TaskFailed);
    assert_eq!(format!("{one:#}"), "task Auditor failed: the audit failed");
    assert!(
        format!("{two:#}").contains(
            "2 subscribers failed: task Auditor failed: the audit failed; task Pager failed: the pager is off"
        ),
        "{two:#}"
    );
    assert!(discarded.is_ok(), "a discard acknowledges");
    assert_eq!(log.lines().len(), 4);
}

#[tokio::test]
async fn a_forwarding_subscriber_makes_one_task_of_a_message_however_often_it_is_delivered() {
    let log = Log::default();
    let (runtime, recorder) = Runtime::recorded().state(log.clone()).build().await.unwrap();
    let body = json!({
        "message": {"data": encoded(r#"{"n": 18446744073709551615}"#), "attributes": {"a": "b"}, "messageId": "9"},
        "subscription": "projects/p/subscriptions/Forwarder",
    })
    .to_string();

    let first = answer(&runtime, post("/subscriptions/Forwarder", body.clone())).await;
    let second = answer(&runtime, post("/subscriptions/Forwarder", body)).await;

    let id = first.1["result"]["cloud-tasks-forwarded"]["task_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let expected = json!({
        "result": {"cloud-tasks-forwarded": {"queue_name": "forwarded", "task_id": id}},
        "status": "executed",
    });
    assert_eq!(first, (200, expected.clone()));
    assert_eq!(second, (200, expected));
    let envelopes = recorder.envelopes();
    assert_eq!(envelopes.len(), 1);
    assert!(envelopes[0].url().ends_with("/tasks/Forwarder"));
    let body: Value = serde_json::from_slice(envelopes[0].body()).unwrap();
    assert_eq!(
        (&body["content"], &body["attributes"]),
        (&json!({"n": 18_446_744_073_709_551_615_u64}), &json!({"a": "b"}))
    );
    assert_eq!(recorder.drain().await.unwrap(), 1);
    assert_eq!(log.lines(), ["{\"n\": 18446744073709551615} {\"a\": \"b\"} 9"]);
}

#[tokio::test]
async fn a_forwarded_task_of_the_original_is_read_and_one_without_content_is_not() {
    let log = Log::default();
    let runtime = eager(&log).await;

    let fine = answer(
        &runtime,
        post("/tasks/Forwarder", r#"{"content": {"n": 1}, "attributes": null}"#),
    )
    .await;
    let bad = answer(&runtime, post("/tasks/Forwarder", r#"{"attributes": {}}"#)).await;

    assert_eq!(fine.0, 200);
    assert_eq!(log.lines(), ["{\"n\": 1} {} "]);
    assert_eq!(
        bad.1["error"],
        "Task Forwarder cannot read its arguments: missing field `content`"
    );
}

fn subscription(runtime: &Runtime, task: &str) -> Subscription {
    runtime
        .subscriptions()
        .iter()
        .find(|subscription| subscription.task == task)
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_subscription_takes_the_options_of_its_subscriber_and_otherwise_the_settings() {
    let settings = Config::default()
        .with_app_name("shop")
        .with_endpoint("https://shop.example/jobs/")
        .with_subscriber_max_retries(9)
        .with_subscriber_min_backoff(Duration::from_secs(1))
        .with_subscriber_expiration(Duration::from_secs(8 * 86_400));
    let runtime = Runtime::eager().config(settings).build().await.unwrap();

    let plain = subscription(&runtime, "Auditor");
    let named = subscription(&runtime, "Pager");
    let full = subscription(&runtime, "everything");

    assert_eq!(
        (plain.name.as_str(), plain.topic.as_str()),
        ("shop--Auditor", "shop--user-actions")
    );
    assert_eq!(plain.url, "https://shop.example/jobs/subscriptions/Auditor");
    assert_eq!(
        (plain.max_retries, plain.min_backoff),
        (Some(9), Some(Duration::from_secs(1)))
    );
    assert_eq!(
        (plain.max_backoff, plain.oidc, plain.ordering),
        (None, true, false)
    );
    assert_eq!(named.name, "shop--pager-duty");
    assert_eq!(
        (full.name.as_str(), full.topic.as_str()),
        ("hand-made", "other--all-options")
    );
    assert_eq!(full.url, "https://elsewhere.example/hook");
    assert_eq!(
        full.filter.map(|filter| filter.to_string()).as_deref(),
        Some("attributes:kind")
    );
    assert_eq!(
        (full.max_retries, full.min_backoff),
        (Some(7), Some(Duration::from_secs(5)))
    );
    assert_eq!(
        (full.max_backoff, full.expiration),
        (Some(Duration::from_secs(60)), Some(Duration::MAX))
    );
    assert_eq!(
        (full.ack_deadline, full.retention),
        (Some(Duration::from_secs(120)), Some(Duration::from_secs(3600)))
    );
    assert_eq!(full.dead_letter_topic.as_deref(), Some("shop--failed"));
    assert_eq!(full.dead_letter_subscription.as_deref(), Some("shop--failed-sub"));
    assert!(!full.oidc && full.ordering);
}

#[tokio::test]
async fn the_value_of_a_bad_attribute_is_not_answered() {
    let push = json!({
        "message": {
            "data": encoded(r#"{"user_id": 1, "action": "a"}"#),
            "attributes": {"priority": "high", "level": "hunter2"},
        },
    });

    let (status, answered) = answer(
        &eager(&Log::default()).await,
        post("/subscriptions/Pager", push.to_string()),
    )
    .await;

    assert_eq!(status, 400);
    let error = answered["error"].as_str().unwrap();
    assert!(error.contains("attributes.level: invalid value"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}
