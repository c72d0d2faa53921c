//! Google's own Pub/Sub client for Python, with its traces on, through Google's emulator.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::PublisherTask;
use serde_json::{Value, json};

use crate::python::{self, Python};
use crate::stage::{Stage, TRACE};
use crate::tasks::{Input, OrderShipped};

/// A service of ours with its subscriptions, and a client in the same project.
async fn side_by_side(test: &str) -> Option<(Stage, Python)> {
    let emulator = python::emulator(test)?;
    let stage = Stage::subscribed(&emulator).await;
    let vars = [
        ("GCP_PROJECT", stage.project.as_str()),
        ("PUBSUB_EMULATOR_HOST", &emulator),
    ];
    let (client, _) = Python::start(test, "pubsub_peer.py", &vars).await?;
    Some((stage, client))
}

fn message(topic: &str, data: &[u8], attributes: &[(&str, &str)]) -> Value {
    let attributes: BTreeMap<_, _> = attributes.iter().copied().collect();
    json!({"topic": topic, "data": STANDARD.encode(data), "attributes": attributes})
}

#[tokio::test]
async fn a_message_of_googles_client_reaches_our_subscriber_in_the_same_trace() {
    let test = "a_message_of_googles_client_reaches_our_subscriber_in_the_same_trace";
    let Some((mut stage, mut client)) = side_by_side(test).await else {
        return;
    };
    let content = serde_json::to_vec(&OrderShipped::sample()).unwrap();

    let call = message("shop--OrderShipped", &content, &[("region", "São Paulo")]);
    let told = client.call("publish", call).await;

    assert_eq!(
        stage.answer().await,
        ("/subscriptions/OrderAuditor".to_owned(), 200)
    );
    let run = stage.run().await;
    assert_eq!(run.input, Input::Shipped(OrderShipped::sample()));
    assert_eq!(run.attributes["region"], "São Paulo");
    assert_eq!(Some(run.id.as_str()), told["id"].as_str());
    let trace = run.header("traceparent").unwrap().split('-').nth(1);
    assert_eq!(trace, told["trace"].as_str());
    stage.close().await;
}

#[tokio::test]
async fn bytes_of_any_kind_and_none_from_googles_client_reach_our_subscriber() {
    let test = "bytes_of_any_kind_and_none_from_googles_client_reach_our_subscriber";
    let Some((mut stage, mut client)) = side_by_side(test).await else {
        return;
    };

    for data in [&b"\xff\x00 no JSON"[..], b""] {
        client
            .call("publish", message("shop--raw", data, &[("kind", "raw")]))
            .await;

        assert_eq!(
            stage.answer().await,
            ("/subscriptions/RawListener".to_owned(), 200)
        );
        let run = stage.run().await;
        assert_eq!(
            (run.input, run.attributes["kind"].as_str()),
            (Input::Raw(data.to_vec()), "raw")
        );
    }
    stage.close().await;
}

#[tokio::test]
async fn a_message_of_ours_reaches_googles_client_in_the_same_trace() {
    let test = "a_message_of_ours_reaches_googles_client_in_the_same_trace";
    let Some((stage, mut client)) = side_by_side(test).await else {
        return;
    };
    let call = json!({"topic": "shop--OrderShipped", "subscription": "analytics"});
    client.call("subscribe", call).await;

    let publish = OrderShipped::sample()
        .sync()
        .attribute("region", "São Paulo")
        .ordering_key("order-7");
    let id = stage.in_trace(publish).await.unwrap();

    let arrived = client.event().await;
    let content: Value = serde_json::from_str(arrived["data"].as_str().unwrap()).unwrap();
    let mut expected = serde_json::to_value(OrderShipped::sample()).unwrap();
    expected["_http_headers"] = json!({"traceparent": TRACE, "x-request-id": "req-42"});
    assert_eq!(content, expected);
    assert_eq!(
        arrived["attributes"],
        json!({"region": "São Paulo", "googclient_traceparent": TRACE, "x-request-id": "req-42"})
    );
    assert_eq!(
        (&arrived["ordering_key"], &arrived["id"]),
        (&json!("order-7"), &json!(id))
    );
    assert_eq!(arrived["trace"].as_str(), TRACE.split('-').nth(1));
    stage.close().await;
}
