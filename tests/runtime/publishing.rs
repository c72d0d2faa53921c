use cloud_tasks::testing::Recorder;
use cloud_tasks::{Config, ErrorKind, ModelPublisherTask, PublisherTask, Runtime, task};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::events::{
    AccountClosed, Campaign, Heartbeat, LabelledOrder, Legacy, Order, OrderPlaced, ProductUpdated, action,
};
use crate::tasks::{answer, post};

async fn recorded(config: Config) -> (Runtime, Recorder) {
    Runtime::recorded().config(config).build().await.unwrap()
}

async fn shop() -> (Runtime, Recorder) {
    recorded(Config::default().with_app_name("shop")).await
}

fn order() -> Order {
    Order {
        id: 7,
        category: "books",
    }
}

fn topics(recorder: &Recorder) -> Vec<String> {
    recorder
        .publications()
        .iter()
        .map(|publication| publication.topic().to_owned())
        .collect()
}

#[tokio::test]
async fn sync_publishes_the_json_of_the_event_and_gives_the_message_id_back() {
    let (runtime, recorder) = shop().await;

    let id = action("login")
        .sync()
        .attribute("priority", "high")
        .ordering_key("user-7")
        .on(&runtime)
        .await
        .unwrap();

    let published = &recorder.publications()[0];
    assert!(!id.is_empty());
    assert_eq!(published.topic(), "shop--user-actions");
    assert_eq!(published.data(), br#"{"user_id":7,"action":"login"}"#);
    assert_eq!(published.attributes()["priority"], "high");
    assert_eq!(published.ordering_key(), Some("user-7"));
    assert!(recorder.envelopes().is_empty());
}

#[tokio::test]
async fn asap_enqueues_a_task_that_publishes_when_it_runs() {
    let (runtime, recorder) = shop().await;

    let enqueued = action("login")
        .asap()
        .attribute("priority", "high")
        .on(&runtime)
        .await
        .unwrap();
    let before = recorder.publications().len();
    let envelope = recorder.envelopes().remove(0);
    let (status, body) = answer(&runtime, post("/tasks/UserAction", envelope.body().to_vec())).await;

    assert_eq!(enqueued.queue(), "events");
    assert_eq!(
        envelope.body(),
        br#"{"message":{"user_id":7,"action":"login"},"attributes":{"priority":"high"}}"#
    );
    assert_eq!((before, status), (0, 200));
    assert!(body["result"].is_string());
    let published = &recorder.publications()[0];
    assert_eq!(published.data(), br#"{"user_id":7,"action":"login"}"#);
    assert_eq!(published.attributes()["priority"], "high");
}

#[tokio::test]
async fn a_message_without_attributes_says_null_as_the_original_does() {
    let (runtime, recorder) = shop().await;

    Heartbeat {}.asap().on(&runtime).await.unwrap();

    assert_eq!(
        recorder.envelopes()[0].body(),
        br#"{"message":{},"attributes":null}"#
    );
}

#[tokio::test]
async fn topics_get_the_prefix_of_the_app_that_owns_them_unless_they_are_absolute() {
    let (runtime, recorder) = shop().await;
    let (nameless, in_nameless) = recorded(Config::default()).await;

    for runtime in [&runtime, &nameless] {
        Heartbeat {}.sync().on(runtime).await.unwrap();
        AccountClosed { id: 1 }.sync().on(runtime).await.unwrap();
        Legacy(json!([1])).sync().on(runtime).await.unwrap();
        OrderPlaced::of_with(&order(), &Campaign("spring"))
            .sync()
            .on(runtime)
            .await
            .unwrap();
        LabelledOrder::of(&order()).sync().on(runtime).await.unwrap();
        ProductUpdated::of(&order()).sync().on(runtime).await.unwrap();
    }

    assert_eq!(
        topics(&recorder),
        [
            "shop--Heartbeat",
            "accounts--account-closed",
            "legacy-bus",
            "shop--sales-order",
            "shop--warehouse-order",
            "shop--product-updates-books",
        ]
    );
    assert_eq!(
        topics(&in_nameless),
        [
            "Heartbeat",
            "accounts--account-closed",
            "legacy-bus",
            "sales-order",
            "warehouse-order",
            "product-updates-books",
        ]
    );
}

#[tokio::test]
async fn a_model_publisher_keeps_content_attributes_and_topic_as_they_were_when_it_was_made() {
    let (runtime, recorder) = shop().await;
    let mut order = order();

    let created = OrderPlaced::of_with(&order, &Campaign("spring"));
    order.id = 8;
    order.category = "games";
    created.asap().queue("slow").on(&runtime).await.unwrap();

    let envelope = recorder.envelopes().remove(0);
    assert_eq!((order.id, order.category), (8, "games"));
    assert_eq!(envelope.queue(), "slow");
    assert_eq!(
        serde_json::from_slice::<Value>(envelope.body()).unwrap(),
        json!({
            "message": {"order_id": 7, "source": "spring"},
            "attributes": {"category": "books"},
            "topic_name": "shop--sales-order",
        })
    );
}

#[tokio::test]
async fn the_topic_of_a_model_publishers_task_is_final_whatever_the_settings_say_when_it_runs() {
    let (elsewhere, recorder) = recorded(Config::default().with_app_name("renamed")).await;
    let body =
        r#"{"message": {"order_id": 1, "source": "x"}, "attributes": {}, "topic_name": "shop--sales-order"}"#;

    let (status, _) = answer(&elsewhere, post("/tasks/OrderPlaced", body)).await;

    assert_eq!(
        (status, topics(&recorder)),
        (200, vec!["shop--sales-order".to_owned()])
    );
}

#[tokio::test]
async fn free_form_messages_travel_as_they_are() {
    let (runtime, recorder) = shop().await;
    let body = r#"{"message": {"z": 1, "a": 12345678901234567890.5}, "attributes": null}"#;

    let (status, _) = answer(&runtime, post("/tasks/Legacy", body)).await;

    assert_eq!(status, 200);
    assert_eq!(
        recorder.publications()[0].data(),
        br#"{"z": 1, "a": 12345678901234567890.5}"#
    );
}

#[tokio::test]
async fn a_publishers_task_that_no_subscriber_could_read_is_refused_and_publishes_nothing() {
    let (runtime, recorder) = shop().await;
    for (body, error) in [
        (r"{}", "missing field `message` at line 1 column 2"),
        (
            r#"{"message": {"user_id": "x", "action": "y"}}"#,
            "message: user_id: invalid type: string, expected u64 at line 1 column 15",
        ),
        (
            r#"{"message": {"user_id": 7, "action": "y"}, "attributes": {"a": 1}}"#,
            "attributes.a: invalid type: integer, expected a string at line 1 column 64",
        ),
    ] {
        let (status, answered) = answer(&runtime, post("/tasks/UserAction", body)).await;

        assert_eq!(status, 400, "{body}");
        assert_eq!(
            answered["error"],
            format!("Task UserAction cannot read its arguments: {error}")
        );
    }
    assert!(recorder.publications().is_empty());
}

#[tokio::test]
async fn a_message_that_pub_sub_would_refuse_is_refused_before_any_call() {
    let (runtime, recorder) = shop().await;
    let many = (0..101).map(|n| (format!("k{n}"), String::new()));
    let long = |bytes: usize| "x".repeat(bytes);

    for (publish, part) in [
        (
            action("a").sync().attributes(many),
            "101 attributes; Pub/Sub accepts at most 100",
        ),
        (
            action("a").sync().attribute(long(257), "v"),
            "257 bytes in its key; Pub/Sub accepts 1 to 256",
        ),
        (action("a").sync().attribute("", "v"), "0 bytes in its key"),
        (
            action("a").sync().attribute("k", long(1025)),
            "\"k\" has 1025 bytes; Pub/Sub accepts at most 1024",
        ),
        (action("a").sync().attribute("google", "v"), "begins with goog"),
        (
            action("a").sync().ordering_key(long(1025)),
            "its ordering key has 1025 bytes",
        ),
        (
            action(&long(10_000_001)).sync(),
            "Pub/Sub accepts at most 10000000",
        ),
    ] {
        let error = publish.on(&runtime).await.unwrap_err();

        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains(part), "{part} is not in: {error}");
    }
    let error = action("a")
        .asap()
        .attribute("google", "v")
        .on(&runtime)
        .await
        .unwrap_err();
    assert!(
        error.is_invalid_request(),
        "asap() finds it too, before the task runs"
    );
    assert!(recorder.publications().is_empty() && recorder.envelopes().is_empty());
}

#[tokio::test]
async fn an_event_that_does_not_serialize_is_an_error_of_the_await() {
    let (runtime, _recorder) = shop().await;
    let unwritable = Legacy(Value::Null);
    assert!(
        unwritable.sync().on(&runtime).await.is_ok(),
        "null is a message too"
    );

    let error = Keyless::default().sync().on(&runtime).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Encode);
}

#[derive(serde::Deserialize, serde::Serialize)]
struct Keyless(std::collections::HashMap<(u8, u8), u8>);

impl Default for Keyless {
    fn default() -> Self {
        Self([((1, 2), 3)].into())
    }
}

#[cloud_tasks::task]
impl PublisherTask for Keyless {}

#[tokio::test]
async fn headers_of_the_request_ride_in_the_content_and_as_attributes() {
    let (runtime, recorder) =
        recorded(Config::default().with_propagated_headers(["traceparent", "x-request-id"])).await;
    let mut request = post(
        "/tasks/UserAction",
        r#"{"message": {"user_id": 7, "action": "a"}}"#,
    );
    request
        .headers_mut()
        .insert("traceparent", "00-1-2-01".parse().unwrap());
    request
        .headers_mut()
        .insert("x-request-id", "abc".parse().unwrap());
    request
        .headers_mut()
        .insert("authorization", "Bearer hunter2".parse().unwrap());

    answer(&runtime, request).await;

    let published = &recorder.publications()[0];
    assert_eq!(
        serde_json::from_slice::<Value>(published.data()).unwrap(),
        json!({
            "user_id": 7,
            "action": "a",
            "_http_headers": {"traceparent": "00-1-2-01", "x-request-id": "abc"},
        })
    );
    assert_eq!(
        published.attributes().clone().into_iter().collect::<Vec<_>>(),
        [
            ("googclient_traceparent".to_owned(), "00-1-2-01".to_owned()),
            ("x-request-id".to_owned(), "abc".to_owned()),
        ]
    );
}

#[derive(Debug, Deserialize, Serialize)]
struct Ping;

#[task]
impl PublisherTask for Ping {}

#[tokio::test]
async fn an_event_without_fields_travels_as_an_empty_object() {
    let (runtime, recorder) = shop().await;

    Ping.sync().on(&runtime).await.unwrap();
    Ping.asap().on(&runtime).await.unwrap();

    assert_eq!(recorder.publications()[0].data(), b"{}");
    assert_eq!(
        recorder.envelopes()[0].body(),
        br#"{"message":{},"attributes":null}"#
    );
}

#[tokio::test]
async fn a_null_that_is_a_value_stays_null_in_both_directions() {
    let (runtime, recorder) = shop().await;

    Legacy(Value::Null).sync().on(&runtime).await.unwrap();
    Legacy(json!({})).sync().on(&runtime).await.unwrap();
    let body = r#"{"message": null, "attributes": null}"#;
    let (status, _) = answer(&runtime, post("/tasks/Legacy", body)).await;

    assert_eq!(status, 200);
    let sent: Vec<_> = recorder
        .publications()
        .iter()
        .map(|message| message.data().to_vec())
        .collect();
    assert_eq!(sent, [&b"null"[..], b"{}", b"null"]);
}

#[tokio::test]
async fn attributes_are_published_alone_with_empty_data() {
    let (runtime, recorder) = shop().await;
    let alone = || AccountClosed { id: 7 }.sync().without_content();

    alone().attribute("id", "7").on(&runtime).await.unwrap();
    AccountClosed { id: 7 }
        .asap()
        .without_content()
        .attribute("id", "7")
        .on(&runtime)
        .await
        .unwrap();
    let body = String::from_utf8(recorder.envelopes()[0].body().to_vec()).unwrap();
    let ran = answer(&runtime, post("/tasks/AccountClosed", body.clone())).await;
    let nothing = alone().on(&runtime).await.unwrap_err();
    let missing = answer(&runtime, post("/tasks/AccountClosed", "{}")).await;

    assert_eq!(body, r#"{"attributes":{"id":"7"}}"#);
    assert_eq!((ran.0, missing.0), (200, 400));
    let publications = recorder.publications();
    assert_eq!(publications.len(), 2);
    for publication in publications {
        assert_eq!(
            (publication.data(), &*publication.attributes()["id"]),
            (&b""[..], "7")
        );
    }
    assert!(
        nothing.to_string().contains("neither content nor attributes"),
        "{nothing}"
    );
}

#[tokio::test]
async fn headers_of_a_publisher_task_are_sent_like_propagated_headers() {
    let (runtime, recorder) = shop().await;
    let body = json!({
        "message": {"id": 7},
        "attributes": null,
        "headers": {"traceparent": "00-1", "x-tenant": "a", "authorization": "Bearer x"},
        "unknown": 1,
    });

    let (status, _) = answer(&runtime, post("/tasks/AccountClosed", body.to_string())).await;

    assert_eq!(status, 200);
    let published = &recorder.publications()[0];
    assert_eq!(
        serde_json::from_slice::<Value>(published.data()).unwrap(),
        json!({"id": 7, "_http_headers": {"traceparent": "00-1", "x-tenant": "a"}})
    );
    assert_eq!(published.attributes()["googclient_traceparent"], "00-1");
    assert_eq!(published.attributes()["x-tenant"], "a");
    assert!(!published.attributes().contains_key("authorization"));
}

#[tokio::test]
async fn an_empty_ordering_key_of_a_publisher_task_is_none() {
    for (key, expected) in [
        (json!("user-7"), Some("user-7")),
        (json!(""), None),
        (json!(null), None),
    ] {
        let (runtime, recorder) = shop().await;
        let body = json!({"message": {"id": 7}, "attributes": null, "ordering_key": key});

        let (status, _) = answer(&runtime, post("/tasks/AccountClosed", body.to_string())).await;

        assert_eq!(status, 200);
        assert_eq!(recorder.publications()[0].ordering_key(), expected, "{key}");
    }
}

#[tokio::test]
async fn two_spellings_of_a_header_of_a_publisher_task_are_one_header() {
    let (runtime, recorder) = shop().await;
    let body = json!({
        "message": {"id": 7},
        "attributes": null,
        "headers": {"TraceParent": "00-1", "traceparent": "00-2", "Traceparent": " "},
    });

    let (status, _) = answer(&runtime, post("/tasks/AccountClosed", body.to_string())).await;

    assert_eq!(status, 200);
    let published = &recorder.publications()[0];
    assert_eq!(published.attributes()["googclient_traceparent"], "00-1");
    assert_eq!(
        serde_json::from_slice::<Value>(published.data()).unwrap(),
        json!({"id": 7, "_http_headers": {"traceparent": "00-1"}})
    );
}
