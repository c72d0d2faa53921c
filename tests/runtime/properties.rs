//! What holds for any input; `fuzz/` asks the same with inputs that are chosen by coverage.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use cloud_tasks::event::Topic;
use cloud_tasks::task::TaskMetadata;
use cloud_tasks::{
    BoxError, Config, Context, Message, ModelPublisherTask, Runtime, SubscriberTask, Task, TaskResult, task,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::tasks::{Add, Log, answer, post};

/// Hands any bytes on to Cloud Tasks, and writes down what comes back.
struct BytesForwarder;

#[task(topic = "bytes-to-forward", use_cloud_tasks)]
impl SubscriberTask for BytesForwarder {
    fn parse(data: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok(data.to_vec())
    }

    async fn run(message: Message<Vec<u8>>, cx: Context<Log>) -> TaskResult {
        let told = json!({
            "bytes": message.content,
            "attributes": message.attributes,
            "id": message.id,
            "ordering_key": message.ordering_key,
            "subscription": message.subscription,
        });
        cx.state().write(told.to_string());
        Ok(())
    }
}

/// Goes to the topic that it is made from.
#[derive(Deserialize, Serialize)]
struct Sent;

#[task(topic = "sent")]
impl ModelPublisherTask for Sent {
    fn content(_topic: &Topic, _extra: &()) -> Self {
        Self
    }

    fn topic_for(topic: &Topic, _extra: &()) -> Topic {
        topic.clone()
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// What a subscriber that forwards is given, in the end.
async fn forwarded(body: &Value) -> Value {
    let log = Log::default();
    let (runtime, recorder) = Runtime::recorded().state(log.clone()).build().await.unwrap();
    let (status, answered) = answer(&runtime, post("/subscriptions/BytesForwarder", body.to_string())).await;
    assert_eq!(status, 200, "{answered}");
    assert_eq!(recorder.drain().await.unwrap(), 1);
    serde_json::from_str(&log.lines()[0]).unwrap()
}

#[tokio::test]
async fn content_that_is_forwarded_arrives_to_the_letter() {
    for content in [
        "null",
        " 7\n",
        "\t{\"a\": 1} ",
        "{\"a\": 1}",
        "",
        "plain",
        "[",
        "\"\\ud800\"",
    ] {
        let told = forwarded(&json!({"message": {"data": STANDARD.encode(content), "messageId": "1"}})).await;

        assert_eq!(told["bytes"], json!(content.as_bytes()), "{content:?}");
    }
}

#[tokio::test]
async fn a_message_of_which_nothing_is_said_is_forwarded_all_the_same() {
    let told = forwarded(&json!({"message": {"data": "MQ=="}})).await;

    assert_eq!(told["bytes"], json!([b'1']));
}

#[tokio::test]
async fn a_carried_header_that_no_task_can_have_keeps_no_message_from_being_forwarded() {
    let large = "x".repeat(9000);
    for trace in ["", "a\u{e9}", large.as_str()] {
        let content = json!({"n": 1, "_http_headers": {"traceparent": trace}}).to_string();
        for message in [
            json!({"data": "MQ==", "attributes": {"googclient_traceparent": trace}}),
            json!({ "data": STANDARD.encode(content) }),
        ] {
            forwarded(&json!({ "message": message, "subscription": "s" })).await;
        }
    }
}

fn texts() -> impl Strategy<Value = String> {
    "\\PC{0,8}|.{0,8}"
}

fn accepted_by_pubsub(name: &str) -> bool {
    let id = match name
        .strip_prefix("projects/")
        .map(|path| path.split('/').collect::<Vec<_>>())
    {
        Some(parts) => match parts[..] {
            [project, "topics", id]
                if !project.is_empty()
                    && project
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b)) =>
            {
                id
            }
            _ => return false,
        },
        None => name,
    };
    (3..=255).contains(&id.len())
        && id.starts_with(|first: char| first.is_ascii_alphabetic())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.~+%".contains(&b))
        && !id.starts_with("goog")
}

proptest! {
    #[test]
    fn a_push_reaches_its_subscriber_to_the_letter_at_once_and_by_a_task(
        data in proptest::collection::vec(any::<u8>(), 0..30),
        alphabet in 0..4_usize,
        attributes in proptest::collection::btree_map(texts(), texts(), 0..4),
        id in texts(),
        ordering_key in proptest::option::of(texts()),
        subscription in texts(),
    ) {
        let engine = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD][alphabet].clone();
        let body = json!({
            "message": {
                "data": engine.encode(&data),
                "attributes": attributes,
                "messageId": id,
                "orderingKey": ordering_key,
            },
            "subscription": subscription,
        });

        let told = block_on(async {
            let runtime = Runtime::eager().build().await.unwrap();
            answer(&runtime, post("/subscriptions/Raw", body.to_string())).await.1["result"].clone()
        });

        let expected = json!({
            "bytes": data,
            "attributes": attributes,
            "id": id,
            "ordering_key": ordering_key.filter(|key| !key.is_empty()),
            "subscription": subscription,
        });
        for (member, value) in expected.as_object().unwrap() {
            prop_assert_eq!(&told[member], value);
        }
        prop_assert_eq!(block_on(forwarded(&body)), expected);
    }

    #[test]
    fn any_body_of_a_push_is_taken_or_refused_in_json(
        body in proptest::collection::vec(any::<u8>(), 0..100), unwrapped in any::<bool>(),
    ) {
        let mut request = post("/subscriptions/Raw", body.clone());
        if unwrapped {
            request.headers_mut().insert("x-goog-pubsub-message-id", HeaderValue::from_static("1"));
        }
        let (status, answered) = block_on(async {
            answer(&Runtime::eager().build().await.unwrap(), request).await
        });
        if unwrapped {
            prop_assert_eq!(&answered["result"]["bytes"], &json!(body));
        } else {
            prop_assert!(status == 200 || status == 400 && answered["error"].is_string());
        }
    }

    #[test]
    fn any_body_of_a_task_is_read_as_serde_reads_it(
        body in "\\PC{0,30}|\\{\"left\": ?[0-9]{1,21}, \"right\": [-0-9.e]{1,4}\\}", retries in "\\PC{0,12}|[0-9]{1,11}",
    ) {
        let mut request = post("/tasks/Add", body.clone());
        let retries = HeaderValue::from_bytes(retries.as_bytes());
        if let Ok(retries) = &retries {
            request.headers_mut().insert("x-cloudtasks-taskretrycount", retries.clone());
        }
        // Larger ones do not add up.
        let read = serde_json::from_str::<Add>(&body).ok();
        prop_assume!(read.as_ref().is_none_or(|add| add.left.checked_add(add.right).is_some()));

        let (status, answered) = block_on(async {
            answer(&Runtime::eager().build().await.unwrap(), request).await
        });

        let count = retries.ok().and_then(|text| text.to_str().ok()?.trim().parse::<u32>().ok());
        match read {
            Some(add) => {
                let attempt = count.unwrap_or(0).saturating_add(1);
                prop_assert_eq!(&answered["result"], &json!(format!("{} in attempt {attempt}", add.left + add.right)));
            }
            None => prop_assert!(status == 400 && answered["error"].is_string(), "{}", answered),
        }
    }

    #[test]
    fn no_header_makes_metadata_panic_or_be_told_otherwise_than_sent(
        values in proptest::collection::vec("\\PC{0,12}|-?[0-9]{1,20}(\\.[0-9]{1,9})?|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", 11),
    ) {
        const NAMES: [&str; 11] = [
            "x-cloudtasks-queuename", "x-cloudtasks-taskname", "x-cloudtasks-taskretrycount",
            "x-cloudtasks-taskexecutioncount", "x-cloudtasks-tasketa", "x-cloudtasks-taskpreviousresponse",
            "x-cloudtasks-taskretryreason", "x-cloudscheduler", "x-cloudscheduler-jobname",
            "x-cloudscheduler-scheduletime", "x-cloud-tasks-timeout",
        ];
        let headers: HeaderMap = NAMES
            .into_iter()
            .zip(&values)
            .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).ok()?)))
            .collect();

        let metadata = TaskMetadata::from_headers(headers.clone());

        // A blank header says nothing.
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty());
        prop_assert_eq!(metadata.queue(), text("x-cloudtasks-queuename"));
        prop_assert_eq!(metadata.id(), text("x-cloudtasks-taskname"));
        prop_assert!(metadata.attempt() >= 1);
        let shown = format!("{metadata:?}{:?}{}", metadata.timeout(), metadata.is_scheduled());
        prop_assert!(shown.starts_with("TaskMetadata"));
    }

    #[test]
    fn a_message_is_taken_for_a_topic_that_keeps_the_rules_and_for_no_other(
        name in "\\PC{0,8}|[a-zA-Z0-9._~+%-]{1,12}|goog[a-z]{0,3}|projects/[a-z0-9:. -]{0,6}/(topics|subscriptions)/[a-z~]{2,5}",
    ) {
        let taken = block_on(async {
            let (runtime, _recorder) = Runtime::recorded().build().await.unwrap();
            let topic = Topic::absolute(name.clone());
            let now = Sent::of(&topic).sync().on(&runtime).await;
            let later = Sent::of(&topic).asap().on(&runtime).await;
            assert_eq!(now.is_ok(), later.is_ok());
            now
        });
        prop_assert_eq!(taken.is_ok(), accepted_by_pubsub(&name), "{:?}", taken);
        if let Err(error) = taken {
            prop_assert!(error.is_invalid_request());
        }
    }

    #[test]
    fn a_queue_and_an_id_are_taken_that_keep_the_rules_and_no_others(
        queue in "\\PC{0,5}|[a-zA-Z0-9_-]{0,102}", id in "\\PC{0,5}|[a-zA-Z0-9_.-]{0,3}|[a-z]{499,502}",
    ) {
        let fits = (1..=100).contains(&queue.len())
            && queue.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && (1..=500).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));

        let enqueued = block_on(async {
            let (runtime, _recorder) = Runtime::recorded().build().await.unwrap();
            Add { left: 1, right: 1 }.asap().queue(queue).task_id(id).on(&runtime).await
        });

        prop_assert_eq!(enqueued.is_ok(), fits, "{:?}", enqueued);
    }

    #[test]
    fn a_task_comes_back_to_any_endpoint_that_is_accepted(
        rest in "[a-z0-9.:@%\\[\\]-]{0,12}(/[a-z%~/]{0,8})?", port in proptest::option::of(0..70_000_u32),
    ) {
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        let Ok(config) = Config::from_vars([("CLOUD_TASKS_ENDPOINT", format!("http://{rest}{port}"))]) else {
            return Ok(());
        };
        let (url, status) = block_on(async {
            let (runtime, recorder) = Runtime::recorded().config(config).build().await.unwrap();
            Add { left: 1, right: 1 }.asap().on(&runtime).await.unwrap();
            let url: http::Uri = recorder.envelopes()[0].url().parse().unwrap();
            let request = post(url.path(), Bytes::from_static(br#"{"left": 1, "right": 1}"#));
            (url.clone(), answer(&runtime, request).await.0)
        });
        prop_assert_eq!(status, 200, "{}", url);
        let authority = url.authority().unwrap().as_str();
        prop_assert!(url.port_u16().is_some() || authority.ends_with(url.host().unwrap()), "{}", url);
    }
}
