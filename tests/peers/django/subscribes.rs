//! What Django subscribes to, through Google's Pub/Sub emulator. The tasks that publish and those that messages are forwarded to
//! are signed, and verified by the Django project.

use std::collections::BTreeMap;

use cloud_tasks::{ModelPublisherTask, PublisherTask};
use serde_json::{Value, json};

use super::{Django, attributes, carried, created};
use crate::python;
use crate::stage::{Stage, TRACE};
use crate::tasks::{Order, OrderCreated, OrderShipped, OrderToForward, Ping};

/// A Django service with its subscriptions, and a runtime of ours that publishes; the tasks of both go to Django.
async fn to_django(test: &str) -> Option<(Stage, Django)> {
    let emulator = python::emulator(test)?;
    let mut django = Django::start(test, &[("PUBSUB_EMULATOR_HOST", &emulator)]).await?;
    let stage = Stage::for_peer(&django.url, Some(&emulator)).await;
    django.use_engine(&stage).await;
    django.python.call("set_up", json!({})).await;
    Some((stage, django))
}

/// The attributes that a publisher gave, and what this library adds to them of the headers under way.
fn attributes_and_headers() -> BTreeMap<String, String> {
    let mut attributes: BTreeMap<_, _> = attributes().into_iter().collect();
    attributes.insert("googclient_traceparent".to_owned(), TRACE.to_owned());
    attributes.insert("x-request-id".to_owned(), "req-42".to_owned());
    attributes
}

#[tokio::test]
async fn a_message_of_ours_reaches_a_subscriber_of_django() {
    let Some((stage, mut django)) = to_django("a_message_of_ours_reaches_a_subscriber_of_django").await
    else {
        return;
    };

    let publish = OrderShipped::sample().sync().attributes(attributes());
    stage.in_trace(publish).await.unwrap();

    let run = django.event_of("OrderAuditor").await;
    let mut content = serde_json::to_value(OrderShipped::sample()).unwrap();
    content["_http_headers"] = json!({"traceparent": TRACE, "x-request-id": "req-42"});
    assert_eq!(run["arguments"]["content"], content);
    assert_eq!(run["arguments"]["attributes"], json!(attributes_and_headers()));
    assert_eq!(run["carried"], carried());
    stage.close().await;
}

/// The publisher's task is run by Django, whose publisher of this name it is.
#[tokio::test]
async fn publisher_tasks_of_ours_are_run_by_django_and_reach_its_subscribers() {
    let test = "publisher_tasks_of_ours_are_run_by_django_and_reach_its_subscribers";
    let Some((stage, mut django)) = to_django(test).await else {
        return;
    };

    let publish = OrderShipped::sample().asap().attributes(attributes());
    stage.in_trace(publish).await.unwrap();

    let run = django.event_of("OrderAuditor").await;
    let mut content = serde_json::to_value(OrderShipped::sample()).unwrap();
    content["_http_headers"] = carried();
    assert_eq!(
        run["arguments"],
        json!({"content": content, "attributes": attributes()})
    );
    assert_eq!(run["carried"], carried());

    Ping.asap().on(&stage.runtime).await.unwrap();
    assert_eq!(
        django.event_of("Pong").await["arguments"],
        json!({"content": {}, "attributes": {}})
    );

    OrderCreated::of_with(&order(), &"printemps été".to_owned())
        .asap()
        .on(&stage.runtime)
        .await
        .unwrap();
    assert_created(&django.event_of("NewOrders").await);
    stage.close().await;
}

fn order() -> Order {
    Order {
        id: 7,
        total: "19.90",
        category: "bücher",
    }
}

#[track_caller]
fn assert_created(run: &Value) {
    let content = serde_json::to_value(created()).unwrap();
    assert_eq!(
        run["arguments"],
        json!({"content": content, "attributes": {"category": "bücher"}})
    );
}

#[tokio::test]
async fn an_event_of_ours_without_fields_reaches_a_subscriber_of_django() {
    let test = "an_event_of_ours_without_fields_reaches_a_subscriber_of_django";
    let Some((stage, mut django)) = to_django(test).await else {
        return;
    };

    Ping.sync().on(&stage.runtime).await.unwrap();

    assert_eq!(
        django.event_of("Pong").await["arguments"],
        json!({"content": {}, "attributes": {}})
    );
    stage.close().await;
}

#[tokio::test]
async fn a_message_of_our_model_publisher_reaches_a_subscriber_of_django() {
    let test = "a_message_of_our_model_publisher_reaches_a_subscriber_of_django";
    let Some((stage, mut django)) = to_django(test).await else {
        return;
    };

    let publish = OrderCreated::of_with(&order(), &"printemps été".to_owned()).sync();
    publish.on(&stage.runtime).await.unwrap();

    assert_created(&django.event_of("NewOrders").await);
    stage.close().await;
}

#[tokio::test]
async fn a_message_of_ours_that_django_forwards_runs_as_it_was_published() {
    let test = "a_message_of_ours_that_django_forwards_runs_as_it_was_published";
    let Some((stage, mut django)) = to_django(test).await else {
        return;
    };

    let publish = OrderToForward(OrderShipped::sample())
        .sync()
        .attributes(attributes());
    stage.in_trace(publish).await.unwrap();

    let run = django.event_of("OrderForwarder").await;
    let mut content = serde_json::to_value(OrderShipped::sample()).unwrap();
    content["_http_headers"] = json!({"traceparent": TRACE, "x-request-id": "req-42"});
    assert_eq!(run["path"], "/tasks/OrderForwarder");
    assert_eq!(run["arguments"]["content"], content);
    assert_eq!(run["arguments"]["attributes"], json!(attributes_and_headers()));
    assert_eq!(run["carried"], carried());
    stage.close().await;
}
