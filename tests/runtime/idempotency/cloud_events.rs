//! CloudEvents: which forms are read, and what identifies one.

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::idempotency::MemoryStore;
use cloud_tasks::{Context, Message, SubscriberTask, TaskResult, task};
use http::Request;
use serde_json::{Value, json};

use crate::support::deliveries::{Effects, answer, push};

/// Hears of uploads.
struct Uploads;

#[task(topic = "uploads", idempotent)]
impl SubscriberTask for Uploads {
    async fn run(message: Message<u64>, cx: Context<Effects>) -> TaskResult<Value> {
        cx.state().happen(message.content);
        Ok(
            json!({"id": message.id, "source": message.attribute("ce-source"), "type": message.attribute("ce-type")}),
        )
    }
}

/// The same by way of a task.
struct Thumbnails;

#[task(topic = "uploads", idempotent, use_cloud_tasks)]
impl SubscriberTask for Thumbnails {
    async fn run(message: Message<u64>, cx: Context<Effects>) -> TaskResult {
        cx.state().happen(message.content);
        Ok(())
    }
}

fn binary(subscriber: &str, source: &str, id: &str, number: u64) -> Request<Body> {
    Request::post(format!("/subscriptions/{subscriber}"))
        .header("content-type", "application/json")
        .header("ce-specversion", "1.0")
        .header("ce-type", "upload")
        .header("ce-source", source)
        .header("ce-id", id)
        .body(number.to_string().into())
        .unwrap()
}

fn event(source: &str, id: &str, number: u64) -> Value {
    json!({"specversion": "1.0", "type": "upload", "source": source, "id": id, "data": number})
}

fn of_type(subscriber: &str, content_type: &str, body: &Value) -> Request<Body> {
    Request::post(format!("/subscriptions/{subscriber}"))
        .header("content-type", content_type)
        .body(body.to_string().into())
        .unwrap()
}

fn structured(subscriber: &str, source: &str, id: &str, number: u64) -> Request<Body> {
    of_type(
        subscriber,
        "application/cloudevents+json",
        &event(source, id, number),
    )
}

#[tokio::test]
async fn events_of_one_id_from_two_sources_are_two_events() {
    for subscriber in ["Uploads", "Thumbnails"] {
        let (runtime, effects) = super::runtime(MemoryStore::new()).await;
        let deliveries = [
            binary(subscriber, "//storage/b", "7", 1),
            structured(subscriber, "//storage/c", "7", 2),
            // What separates the parts of a key may stand in them.
            binary(subscriber, "//storage", "b/7", 3),
            push(subscriber, 4, "7"),
            push(subscriber, 5, "//storage/b/7"),
        ];

        for request in deliveries {
            assert_eq!(answer(&runtime, request).await.0, 200);
        }

        for number in 1..=5 {
            assert_eq!(effects.of(number), 1, "{number} of {subscriber}");
        }
    }
}

#[tokio::test]
async fn an_event_that_comes_again_in_either_form_runs_once() {
    for subscriber in ["Uploads", "Thumbnails"] {
        let (runtime, effects) = super::runtime(MemoryStore::new()).await;

        for _ in 0..2 {
            answer(&runtime, binary(subscriber, "//storage/b", "7", 1)).await;
            answer(&runtime, structured(subscriber, "//storage/b", "7", 1)).await;
        }

        assert_eq!(effects.of(1), 1, "{subscriber}");
    }
}

#[tokio::test]
async fn an_event_is_read_with_any_content_type() {
    for content_type in [
        "application/cloudevents+json",
        "application/cloudevents",
        "Application/CloudEvents+JSON; charset=UTF-8",
        "application/cloudevents+json ;charset=utf-8",
    ] {
        let (runtime, _) = super::runtime(MemoryStore::new()).await;

        let (status, answered) =
            answer(&runtime, of_type("Uploads", content_type, &event("//s", "7", 1))).await;

        let expected = json!({"id": "7", "source": "//s", "type": "upload"});
        assert_eq!((status, &answered["result"]), (200, &expected), "{content_type}");
    }
}

#[tokio::test]
async fn a_form_that_is_not_read_is_refused_and_the_answer_says_which_is() {
    const FORMAT: &str = "the CloudEvents are in a format that is not read: send one event per request, in binary mode or \
                          as application/cloudevents+json";
    let (runtime, effects) = super::runtime(MemoryStore::new()).await;
    let one = event("//s", "7", 1);
    let lacking = |name: &str| {
        let mut event = one.clone();
        event.as_object_mut().unwrap().remove(name);
        event
    };
    for (content_type, body, reason) in [
        ("application/cloudevents-batch+json", json!([one, one]), FORMAT),
        (
            "application/cloudevents-batch+json; charset=utf-8",
            json!([]),
            FORMAT,
        ),
        ("application/cloudevents-batch", json!([one]), FORMAT),
        ("application/cloudevents+avro", one.clone(), FORMAT),
        ("application/cloudevents+protobuf", one.clone(), FORMAT),
        ("application/cloudevents+xml", one.clone(), FORMAT),
        (
            "application/cloudevents+json",
            json!([one]),
            "invalid type: sequence, expected a map at line 1 column 0",
        ),
        (
            "application/cloudevents+json",
            lacking("id"),
            "the CloudEvent has no `id`",
        ),
        (
            "application/cloudevents+json",
            lacking("source"),
            "the CloudEvent has no `source`",
        ),
        (
            "application/cloudevents+json",
            lacking("type"),
            "the CloudEvent has no `type`",
        ),
        (
            "application/cloudevents+json",
            lacking("specversion"),
            "the CloudEvent has no `specversion`",
        ),
        (
            "application/cloudevents+json",
            json!({"specversion": "1.0", "type": "t", "source": "s", "id": "7", "data_base64": "%"}),
            "data_base64: it is not base64",
        ),
        // Not a content type of CloudEvents, so it is read as a push.
        (
            "application/cloudeventsx+json",
            one.clone(),
            "missing field `message` at line 1 column 70",
        ),
    ] {
        let (status, answered) = answer(&runtime, of_type("Uploads", content_type, &body)).await;

        let expected = format!("Task Uploads cannot read its arguments: {reason}");
        assert_eq!(
            (status, &answered["error"]),
            (400, &json!(expected)),
            "{content_type}: {body}"
        );
    }
    assert_eq!(effects.count(), (0, 0));
}

#[tokio::test]
async fn an_event_of_a_pubsub_message_is_known_by_the_message_and_not_by_the_event() {
    let (runtime, effects) = super::runtime(MemoryStore::new()).await;
    let of_message = |event: &str, message: &str, number: u64| {
        let body = json!({
            "message": {"data": STANDARD.encode(number.to_string()), "messageId": message},
            "subscription": "projects/p/subscriptions/s",
        });
        let mut request = binary("Uploads", "//pubsub.googleapis.com/projects/p/topics/t", event, 0);
        let published = "google.cloud.pubsub.topic.v1.messagePublished".parse().unwrap();
        request.headers_mut().insert("ce-type", published);
        *request.body_mut() = body.to_string().into();
        request
    };

    for request in [
        of_message("1", "42", 1),
        of_message("2", "42", 1),
        of_message("2", "43", 2),
        push("Uploads", 1, "42"),
    ] {
        assert_eq!(answer(&runtime, request).await.0, 200);
    }

    assert_eq!((effects.of(1), effects.of(2)), (1, 1));
}
