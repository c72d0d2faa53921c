use cloud_tasks::event::Topic;
use cloud_tasks::{Event, PublisherTask, Task};
use serde::{Deserialize, Serialize};

use crate::tasks::{Log, OrderPlaced, Refunded, note, panic_text, recorded};

/// The same events as another crate would name them.
#[derive(Deserialize, Serialize)]
struct AnyOrder {
    order_id: u64,
}

impl Event for AnyOrder {
    fn topic() -> Topic {
        Topic::new("orders")
    }
}

fn order(order_id: u64) -> OrderPlaced {
    OrderPlaced { order_id }
}

#[tokio::test]
async fn an_event_counts_as_published_from_its_task_to_its_delivery() {
    let (runtime, recorder) = recorded(&Log::default()).await;
    let check = || {
        recorder.assert_published::<OrderPlaced>(|event, attributes| {
            event.order_id == 7 && attributes["priority"] == "high"
        });
        recorder.assert_published::<AnyOrder>(|event, _| event.order_id == 7);
        recorder.refute_published::<OrderPlaced>(|event, _| event.order_id == 8);
        recorder.refute_published::<Refunded>(|_, _| true);
    };

    recorder.refute_published::<OrderPlaced>(|_, _| true);
    let publish = order(7).asap().attribute("priority", "high").on(&runtime);
    publish.await.unwrap();
    check();
    let envelope = recorder.envelopes().remove(0);
    assert_eq!(envelope.queue(), "events");

    recorder.drain().await.unwrap();

    check();
    recorder.assert_nothing_enqueued();
    assert_eq!(
        (recorder.publications().len(), recorder.delivered().len()),
        (0, 1)
    );
}

#[tokio::test]
async fn a_failed_check_shows_messages_and_publishers_tasks_apart() {
    let (runtime, recorder) = recorded(&Log::default()).await;
    let nothing = panic_text(|| recorder.assert_published::<OrderPlaced>(|_, _| true));
    note("is no event").asap().on(&runtime).await.unwrap();
    Refunded { amount: 5 }.sync().on(&runtime).await.unwrap();
    order(7)
        .sync()
        .attribute("priority", "high")
        .ordering_key("seven")
        .on(&runtime)
        .await
        .unwrap();
    order(8).asap().on(&runtime).await.unwrap();

    let missing = panic_text(|| recorder.assert_published::<OrderPlaced>(|event, _| event.order_id == 9));
    let unwanted = panic_text(|| recorder.refute_published::<OrderPlaced>(|event, _| event.order_id == 8));

    let shown = "these were:\n  \
        {\"order_id\":7} to orders with {\"priority\": \"high\"} in the order of seven\n  \
        {\"amount\":5} to refunds\n\
        and these are waiting to be, in tasks:\n  \
        OrderPlaced {\"message\":{\"order_id\":8},\"attributes\":null} to events";
    assert_eq!(nothing, "no matching OrderPlaced was published; nothing was");
    assert_eq!(missing, format!("no matching OrderPlaced was published; {shown}"));
    assert_eq!(unwanted, format!("a matching OrderPlaced was published; {shown}"));
}

#[tokio::test]
async fn a_message_of_another_shape_on_the_topic_does_not_fit_and_does_not_disturb() {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    impl Event for Named {
        fn topic() -> Topic {
            Topic::new("orders")
        }
    }
    let (runtime, recorder) = recorded(&Log::default()).await;
    order(7).sync().on(&runtime).await.unwrap();

    recorder.refute_published::<Named>(|event, _| event.name.is_empty() || !event.name.is_empty());
    recorder.assert_published::<OrderPlaced>(|event, _| event.order_id == 7);
}
