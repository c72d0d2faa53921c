use cloud_tasks::event::{Topic, publish};
use cloud_tasks::{Config, ErrorKind, Event, PublisherTask, Runtime};
use serde::{Deserialize, Serialize};
use two_services::OrderPlaced;

/// As in a shared crate: an event whose topic is written by hand.
#[derive(Deserialize, Serialize)]
struct SeatBooked {
    seat: u32,
}

impl Event for SeatBooked {
    fn topic() -> Topic {
        Topic::new("seats").of_app("theatre")
    }
}

fn shop() -> Config {
    Config::default().with_app_name("shop")
}

#[tokio::test]
async fn a_shared_event_is_published_by_one_line_and_has_the_topic_of_its_owner() {
    for (app, topic) in [("shop", "shop--orders"), ("billing", "shop--orders")] {
        let config = Config::default().with_app_name(app);
        let (runtime, recorder) = Runtime::recorded().config(config).build().await.unwrap();

        OrderPlaced { order: 7 }.sync().on(&runtime).await.unwrap();

        let publication = &recorder.publications()[0];
        assert_eq!(
            (publication.topic(), publication.data()),
            (topic, &br#"{"order":7}"#[..])
        );
    }
}

#[tokio::test]
async fn hearing_a_shared_event_registers_no_publisher() {
    let (runtime, _recorder) = Runtime::recorded().config(shop()).build().await.unwrap();

    let names: Vec<_> = runtime.registered().iter().map(|task| task.name).collect();

    assert!(names.contains(&"CountOrders"), "{names:?}");
    assert!(!names.contains(&"OrderPlaced"), "{names:?}");
    assert_eq!(runtime.subscriptions()[0].topic, "shop--orders");
}

#[tokio::test]
async fn a_task_that_publishes_a_shared_event_is_refused_where_nothing_would_run_it() {
    let (runtime, recorder) = Runtime::recorded().config(shop()).build().await.unwrap();

    let error = OrderPlaced { order: 7 }.asap().on(&runtime).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::UnknownTask);
    assert_eq!(
        error.to_string(),
        "the event OrderPlaced was not published: it is shared, and this service has no task that publishes it; add \
         `.register::<OrderPlaced>()` to the builder, or publish it from this process with `sync()`"
    );
    assert!(recorder.envelopes().is_empty());
}

#[tokio::test]
async fn one_line_on_the_builder_registers_the_publisher_of_a_shared_event() {
    let (runtime, recorder) = Runtime::recorded()
        .config(shop())
        .register::<OrderPlaced>()
        .build()
        .await
        .unwrap();

    OrderPlaced { order: 7 }.asap().on(&runtime).await.unwrap();
    let error = recorder.drain().attempts(1).await.unwrap_err();

    // The message reached the subscriber of this program, which lacks its state.
    assert!(error.to_string().contains("CountOrders"), "{error}");
}

#[tokio::test]
async fn an_event_that_is_written_by_hand_is_published_without_a_publisher() {
    let (runtime, recorder) = Runtime::recorded().config(shop()).build().await.unwrap();

    publish(SeatBooked { seat: 7 })
        .attribute("hall", "2")
        .on(&runtime)
        .await
        .unwrap();

    let publication = &recorder.publications()[0];
    assert_eq!(publication.topic(), "theatre--seats");
    assert_eq!(publication.data(), br#"{"seat":7}"#);
    assert_eq!(publication.attributes()["hall"], "2");
}
