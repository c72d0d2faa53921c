//! What Django publishes, through Google's Pub/Sub emulator, whose pushes nobody signs. The tasks that publish and those that
//! messages are forwarded to are signed and verified.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_tasks::setup::{Action, ResourceKind};
use http::Method;
use serde_json::json;

use super::{Django, attributes, created};
use crate::python;
use crate::stage::{Stage, TRACE};
use crate::support::pubsub;
use crate::tasks::{Input, OrderShipped, Run};

/// A service of ours with its subscriptions, and a Django service; the tasks of each go to itself.
async fn side_by_side(test: &str) -> Option<(Stage, Django)> {
    let emulator = python::emulator(test)?;
    let mut django = Django::start(test, &[("PUBSUB_EMULATOR_HOST", &emulator)]).await?;
    let stage = Stage::subscribed(&emulator).await;
    django.use_engine(&stage).await;
    Some((stage, django))
}

#[track_caller]
fn assert_carried(run: &Run) {
    assert_eq!(run.header("traceparent"), Some(TRACE));
    assert_eq!(run.header("x-request-id"), Some("req-42"));
}

#[tokio::test]
async fn a_message_of_django_reaches_our_subscriber() {
    let Some((mut stage, mut django)) = side_by_side("a_message_of_django_reaches_our_subscriber").await
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
async fn a_message_of_djangos_model_publisher_reaches_our_subscriber() {
    let Some((mut stage, mut django)) =
        side_by_side("a_message_of_djangos_model_publisher_reaches_our_subscriber").await
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

/// Django enqueues, and its publisher has become ours: the task is signed for its URL here.
#[tokio::test]
async fn publisher_tasks_of_django_are_run_by_us_and_reach_the_subscribers() {
    let test = "publisher_tasks_of_django_are_run_by_us_and_reach_the_subscribers";
    let Some(emulator) = python::emulator(test) else {
        return;
    };
    let mut stage = Stage::subscribed(&emulator).await;
    let Some(mut django) = Django::producer(test, &stage, None).await else {
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

/// A subscription that Django made, whose subscriber has become ours. Its pushes are signed for their URL, here by the engine
/// in the place of Pub/Sub, and nothing lets unsigned ones in.
#[tokio::test]
async fn pushes_that_are_signed_as_django_has_set_up_are_let_in() {
    let test = "pushes_that_are_signed_as_django_has_set_up_are_let_in";
    let Some(emulator) = python::emulator(test) else {
        return;
    };
    let mut stage = Stage::open().await;
    let Some(mut django) = Django::producer(test, &stage, Some(&emulator)).await else {
        return;
    };
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

#[tokio::test]
async fn our_set_up_takes_over_the_subscriptions_that_django_made() {
    let test = "our_set_up_takes_over_the_subscriptions_that_django_made";
    let Some(emulator) = python::emulator(test) else {
        return;
    };
    let mut stage = Stage::serve(Some(&emulator)).await;
    let Some(mut django) = Django::producer(test, &stage, Some(&emulator)).await else {
        return;
    };
    django.python.call("set_up", json!({})).await;

    let report = stage.set_up().await;

    let names = |action| report.names(action, ResourceKind::Subscription);
    assert_eq!(
        names(Action::Change),
        ["NewOrders", "OrderAuditor", "OrderForwarder", "Pong"]
    );
    // Which Django does not have.
    assert_eq!(names(Action::Add), ["RawListener"]);
    assert!(
        names(Action::Delete).is_empty() && report.held_back.is_empty(),
        "{report:?}"
    );
    let call = json!({"message": OrderShipped::sample(), "attributes": attributes()});
    django
        .python
        .call("publish", json!({"task": "OrderShipped", "arguments": call}))
        .await;
    assert_eq!(
        stage.answer().await,
        ("/subscriptions/OrderAuditor".to_owned(), 200)
    );
    assert_eq!(stage.run().await.input, Input::Shipped(OrderShipped::sample()));
    stage.close().await;
}
