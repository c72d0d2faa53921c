//! Subscribers that forward their messages to Cloud Tasks: what is not forwarded, and what is forwarded once.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::testing::Recorder;
use cloud_tasks::{BoxError, Context, Message, PublisherTask, Runtime, SubscriberTask, TaskResult, task};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::logs::Logs;
use crate::tasks::{answer, post};

#[derive(Debug, Deserialize, Serialize)]
struct Parcel {
    number: u64,
}

#[task(topic = "parcels")]
impl PublisherTask for Parcel {}

#[derive(Debug, Deserialize)]
struct ParcelLabels {
    #[allow(dead_code, reason = "only that it decodes is asked")]
    weight: u32,
}

/// Takes longer than a push may, in a task.
struct ParcelSorter;

#[task(use_cloud_tasks, timeout = "20m", dead_letter_topic = "parcels-failed")]
impl SubscriberTask for ParcelSorter {
    async fn run(_message: Message<Parcel, ParcelLabels>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

/// Reads its messages itself.
struct ParcelScanner;

#[task(topic = "scans", use_cloud_tasks)]
impl SubscriberTask for ParcelScanner {
    fn parse(data: &[u8]) -> Result<u8, BoxError> {
        match data {
            [] => panic!("an empty scan"),
            [code] => Ok(*code),
            _ => Err("the card number 4242 is no code".into()),
        }
    }

    async fn run(_message: Message<u8>, _cx: Context) -> TaskResult {
        Ok(())
    }
}

async fn recorded() -> (Runtime, Recorder) {
    Runtime::recorded().build().await.unwrap()
}

fn push(data: impl AsRef<[u8]>, attributes: &Value) -> String {
    json!({"message": {"data": STANDARD.encode(data), "attributes": attributes, "messageId": "9"}})
        .to_string()
}

#[tokio::test]
async fn a_message_that_does_not_decode_is_neither_forwarded_nor_acknowledged() {
    let (runtime, recorder) = recorded().await;
    let fine = json!({"weight": "3"});
    for (subscriber, body, status) in [
        ("ParcelSorter", push("no JSON", &fine), 400),
        ("ParcelSorter", push(r#"{"numbr": 1}"#, &fine), 400),
        ("ParcelSorter", push(r#"{"number": 1}"#, &json!({})), 400),
        (
            "ParcelSorter",
            push(r#"{"number": 1}"#, &json!({"weight": "heavy"})),
            400,
        ),
        ("ParcelScanner", push("two", &json!({})), 400),
        ("ParcelScanner", push("", &json!({})), 500),
    ] {
        let logs = Logs::capture();

        let (answered, error) = answer(
            &runtime,
            post(&format!("/subscriptions/{subscriber}"), body.clone()),
        )
        .await;

        assert_eq!(answered, status, "{body}: {error}");
        assert!(
            logs.text().contains("neither forwarded nor acknowledged"),
            "{}",
            logs.text()
        );
        assert!(
            !format!("{error}{}", logs.text()).contains("4242"),
            "{error} {}",
            logs.text()
        );
    }

    assert!(recorder.envelopes().is_empty());
}

#[tokio::test]
async fn a_message_that_decodes_is_forwarded_and_a_second_delivery_is_logged() {
    let (runtime, recorder) = recorded().await;
    let body = push(r#"{"number": 1}"#, &json!({"weight": "3"}));
    let logs = Logs::capture();

    let first = answer(&runtime, post("/subscriptions/ParcelSorter", body.clone())).await;
    assert!(!logs.text().contains("was forwarded before"));
    let second = answer(&runtime, post("/subscriptions/ParcelSorter", body)).await;

    assert_eq!((first.0, second.0), (200, 200));
    assert_eq!(recorder.envelopes().len(), 1);
    assert!(logs.text().contains("was forwarded before"), "{}", logs.text());
}

#[tokio::test]
async fn in_eager_mode_the_publisher_learns_that_a_message_does_not_decode() {
    let runtime = Runtime::eager().build().await.unwrap();

    let refused = Parcel { number: 1 }.sync().on(&runtime).await.unwrap_err();
    let published = Parcel { number: 1 }
        .sync()
        .attribute("weight", "3")
        .on(&runtime)
        .await;

    assert!(
        format!("{refused:#}").contains("missing field `weight`"),
        "{refused:#}"
    );
    assert!(published.is_ok());
}
