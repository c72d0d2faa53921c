//! Messages between a Django service and this library through Google's Pub/Sub emulator, whose pushes nobody signs; the tasks
//! that publish and that messages are forwarded to are signed and verified.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::event::Attributes;
use cloud_tasks::{ModelPublisherTask, PublisherTask};
use http::Method;
use serde_json::{Value, json};

use crate::pubsub;
use crate::python;
use crate::stage::{Django, Stage, TRACE, carried};
use crate::tasks::{Input, Order, OrderCreated, OrderShipped, OrderToForward, Ping, Run};

/// A service of ours with its subscriptions, and a Django service; the tasks of each go to itself.
async fn side_by_side(test: &str) -> Option<(Stage, Django)> {
    let emulator = python::emulator(test)?;
    let mut django = Django::start(test, &[("PUBSUB_EMULATOR_HOST", &emulator)]).await?;
    let stage = Stage::subscribed(&emulator).await;
    django.use_engine(&stage).await;
    Some((stage, django))
}

/// A Django service with its subscriptions, and a runtime of ours that publishes; the tasks of both go to Django.
async fn to_django(test: &str) -> Option<(Stage, Django)> {
    let emulator = python::emulator(test)?;
    let mut django = Django::start(test, &[("PUBSUB_EMULATOR_HOST", &emulator)]).await?;
    let stage = Stage::for_peer(&django.url, Some(&emulator)).await;
    django.use_engine(&stage).await;
    django.python.call("set_up", json!({})).await;
    Some((stage, django))
}

fn attributes() -> Attributes {
    [
        ("priority".to_owned(), "high".to_owned()),
        ("region".to_owned(), "São Paulo".to_owned()),
    ]
    .into()
}

/// The attributes that a publisher gave, and what this library adds to them of the headers under way.
fn attributes_and_headers() -> BTreeMap<String, String> {
    let mut attributes: BTreeMap<_, _> = attributes().into_iter().collect();
    attributes.insert("googclient_traceparent".to_owned(), TRACE.to_owned());
    attributes.insert("x-request-id".to_owned(), "req-42".to_owned());
    attributes
}

#[track_caller]
fn assert_carried(run: &Run) {
    assert_eq!(run.header("traceparent"), Some(TRACE));
    assert_eq!(run.header("x-request-id"), Some("req-42"));
}

#[tokio::test]
async fn what_django_publishes_reaches_our_subscriber() {
    let Some((mut stage, mut django)) = side_by_side("what_django_publishes_reaches_our_subscriber").await
    else {
        return;
    };

    let call = json!({"message": OrderShipped::sample(), "attributes": attributes()});
    django.asap("OrderShipped", call).await;

    assert_eq!(
        stage.answer().await,
        ("/subscriptions/OrderAuditor".to_owned(), 200)
    );
    let run = stage.run().await;
    assert_eq!(run.input, Input::Shipped(OrderShipped::sample()));
    assert_eq!(run.attributes, attributes());
    assert_eq!(
        run.subscription,
        format!("projects/{}/subscriptions/shop--OrderAuditor", stage.project)
    );
    assert_carried(&run);
    stage.close().await;
}

#[tokio::test]
async fn an_event_without_fields_from_django_reaches_our_subscriber() {
    let Some((mut stage, mut django)) =
        side_by_side("an_event_without_fields_from_django_reaches_our_subscriber").await
    else {
        return;
    };

    django.asap("Ping", json!({"message": {}})).await;

    assert_eq!(stage.answer().await, ("/subscriptions/Pong".to_owned(), 200));
    let run = stage.run().await;
    assert_eq!((&run.input, run.attributes.len()), (&Input::Ping, 0));
    assert_carried(&run);
    stage.close().await;
}

#[tokio::test]
async fn what_a_model_publisher_of_django_publishes_reaches_our_subscriber() {
    let Some((mut stage, mut django)) =
        side_by_side("what_a_model_publisher_of_django_publishes_reaches_our_subscriber").await
    else {
        return;
    };

    django
        .python
        .call("order_created", json!({"source": "printemps été"}))
        .await;

    assert_eq!(stage.answer().await, ("/subscriptions/NewOrders".to_owned(), 200));
    let run = stage.run().await;
    assert_eq!(run.input, Input::Created(created()));
    assert_eq!(run.attributes["category"], "bücher");
    stage.close().await;
}

fn created() -> OrderCreated {
    OrderCreated {
        order_id: 7,
        total: "19.90".to_owned(),
        source: "printemps été".to_owned(),
    }
}

/// Django enqueues, and its publisher has become ours: the task is signed for its URL here.
#[tokio::test]
async fn publisher_tasks_of_django_are_run_by_us_and_reach_the_subscribers() {
    let test = "publisher_tasks_of_django_are_run_by_us_and_reach_the_subscribers";
    let Some(emulator) = python::emulator(test) else {
        return;
    };
    let mut stage = Stage::subscribed(&emulator).await;
    let Some(mut django) = Django::producer(test, &stage).await else {
        return;
    };
    let cases = [
        (
            "OrderShipped",
            "OrderAuditor",
            Input::Shipped(OrderShipped::sample()),
        ),
        ("Ping", "Pong", Input::Ping),
        ("OrderCreated", "NewOrders", Input::Created(created())),
    ];

    for (publisher, subscriber, input) in cases {
        match publisher {
            "OrderShipped" => {
                let call = json!({"message": OrderShipped::sample(), "attributes": attributes()});
                django.asap(publisher, call).await
            }
            "Ping" => django.asap(publisher, json!({"message": {}})).await,
            _ => {
                django
                    .python
                    .call("order_created", json!({"source": "printemps été"}))
                    .await
            }
        };

        // The task may be answered after the push that it makes.
        let mut answers = [stage.answer().await, stage.answer().await];
        answers.sort();
        let expected = [
            format!("/subscriptions/{subscriber}"),
            format!("/tasks/{publisher}"),
        ];
        assert_eq!(answers, expected.map(|path| (path, 200)));
        assert_eq!(stage.run().await.input, input);
    }
    stage.close().await;
}

#[tokio::test]
async fn a_message_of_django_that_we_forward_to_a_task_runs_as_it_was_published() {
    let test = "a_message_of_django_that_we_forward_to_a_task_runs_as_it_was_published";
    let Some((mut stage, mut django)) = side_by_side(test).await else {
        return;
    };

    let call = json!({"message": OrderShipped::sample(), "attributes": attributes()});
    django.asap("OrderToForward", call).await;

    let mut answers = [stage.answer().await, stage.answer().await];
    answers.sort();
    let expected = ["/subscriptions/OrderForwarder", "/tasks/OrderForwarder"];
    assert_eq!(answers, expected.map(|path| (path.to_owned(), 200)));
    let run = stage.run().await;
    assert_eq!(run.input, Input::Shipped(OrderShipped::sample()));
    assert_eq!(run.attributes, attributes());
    assert_eq!(run.metadata.queue(), Some("shop"));
    assert_carried(&run);
    stage.close().await;
}

#[tokio::test]
async fn what_we_publish_reaches_a_subscriber_of_django() {
    let Some((stage, mut django)) = to_django("what_we_publish_reaches_a_subscriber_of_django").await else {
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
async fn what_a_model_publisher_of_ours_publishes_reaches_a_subscriber_of_django() {
    let test = "what_a_model_publisher_of_ours_publishes_reaches_a_subscriber_of_django";
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

/// A subscription that Django made, whose subscriber has become ours. Its pushes are signed for their URL, here by the engine
/// in the place of Pub/Sub, and nothing lets unsigned ones in.
#[tokio::test]
async fn pushes_that_are_signed_as_django_has_set_up_are_let_in() {
    let test = "pushes_that_are_signed_as_django_has_set_up_are_let_in";
    let Some(emulator) = python::emulator(test) else {
        return;
    };
    let mut stage = Stage::open().await;
    let vars = [
        ("DJANGO_CLOUD_TASKS_ENDPOINT", stage.endpoint.as_str()),
        ("PUBSUB_EMULATOR_HOST", &emulator),
    ];
    let Some(mut django) = Django::start(test, &vars).await else {
        return;
    };
    django.use_engine(&stage).await;
    django.python.call("set_up", json!({})).await;
    let path = format!("projects/{}/subscriptions/shop--OrderAuditor", stage.project);
    let (_, subscription) = pubsub::rest(&emulator, Method::GET, &path, &json!({})).await;
    let push = &subscription["pushConfig"];

    let content = serde_json::to_vec(&OrderShipped::sample()).unwrap();
    let message = json!({"data": STANDARD.encode(content), "messageId": "7", "attributes": {}});
    let body = json!({"message": message, "subscription": path}).to_string();
    stage
        .create_task(&push["pushEndpoint"], &push["oidcToken"], &body)
        .await;

    let url = format!("{}/subscriptions/OrderAuditor", stage.endpoint);
    assert_eq!(
        (&push["pushEndpoint"], &push["oidcToken"]["audience"]),
        (&json!(url), &json!(url))
    );
    assert_eq!(
        stage.answer().await,
        ("/subscriptions/OrderAuditor".to_owned(), 200)
    );
    assert_eq!(stage.run().await.input, Input::Shipped(OrderShipped::sample()));
    stage.close().await;
}
