use std::time::{Duration, SystemTime};

use cloud_tasks::task::TaskName;
use cloud_tasks::{ErrorKind, Runtime};
use serde::{Deserialize, Serialize};
use serde_json::json;
use two_services::{Charge, OrderPlaced};

use crate::support::console::run;

#[tokio::test]
async fn a_task_is_enqueued_by_its_name_or_its_alias_as_a_call_would() {
    for name in ["Charge", "ChargeInvoice"] {
        let (runtime, recorder) = Runtime::recorded().build().await.unwrap();

        let arguments = json!({"invoice": 7, "unknown": true});
        let enqueue = runtime.enqueue_named(name, arguments).unwrap();
        let enqueued = enqueue.await.unwrap();
        let again = runtime.enqueue_named("Charge", Charge { invoice: 7 }).unwrap();

        let envelope = &recorder.envelopes()[0];
        assert_eq!(
            (envelope.task(), envelope.body()),
            ("Charge", &br#"{"invoice":7}"#[..])
        );
        assert_eq!(enqueued.queue(), "charges");
        assert!(again.await.unwrap().duplicate(), "it is unique");
    }
}

#[tokio::test]
async fn arguments_and_names_that_are_wrong_are_refused_at_once() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();

    for (name, arguments, kind, message) in [
        (
            "Charge",
            json!({"invoice": "seven"}),
            ErrorKind::InvalidRequest,
            "task Charge was not enqueued: its arguments do not decode: invoice: invalid type: string, expected u64 at line 1 \
             column 18",
        ),
        (
            "Charge",
            json!({}),
            ErrorKind::InvalidRequest,
            "task Charge was not enqueued: its arguments do not decode: missing field `invoice` at line 1 column 2",
        ),
        (
            "Chrge",
            json!({"invoice": 7}),
            ErrorKind::UnknownTask,
            "nothing was enqueued: no task is named \"Chrge\"",
        ),
        (
            "CountOrders",
            json!({"order": 7}),
            ErrorKind::InvalidRequest,
            "task CountOrders was not enqueued: it is a subscriber, which gets the messages of a topic; publish the event instead",
        ),
    ] {
        let error = runtime.enqueue_named(name, arguments).unwrap_err();

        assert_eq!((error.kind(), error.to_string()), (kind, message.to_owned()));
    }
    assert!(recorder.envelopes().is_empty());
}

#[tokio::test]
async fn a_publisher_is_enqueued_by_its_name_with_the_event_as_arguments() {
    let (runtime, recorder) = Runtime::recorded()
        .register::<OrderPlaced>()
        .build()
        .await
        .unwrap();

    let enqueue = runtime.enqueue_named("OrderPlaced", json!({"order": 7}));
    enqueue.unwrap().await.unwrap();

    assert_eq!(
        recorder.envelopes()[0].body(),
        br#"{"message":{"order":7},"attributes":null}"#
    );
}

#[test]
fn a_task_name_holds_only_names_of_tasks_that_exist() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Rule {
        task: TaskName,
    }
    let read = |name: &str| serde_json::from_value::<Rule>(json!({ "task": name }));

    assert_eq!(read("Charge").unwrap().task, TaskName::of::<Charge>());
    assert_eq!(read("ChargeInvoice").unwrap().task.as_str(), "Charge");
    assert_eq!(
        serde_json::to_value(read("ChargeInvoice").unwrap()).unwrap(),
        json!({"task": "Charge"})
    );
    for (name, expected) in [
        (
            "Chrge",
            "\"Chrge\" is not the name of a task: no task is linked or registered under it",
        ),
        (
            "",
            "\"\" is not the name of a task: no task is linked or registered under it",
        ),
        (
            "CountOrders",
            "\"CountOrders\" is not the name of a task: it is a subscriber, which cannot be enqueued",
        ),
        (
            "OrderPlaced",
            "\"OrderPlaced\" is not the name of a task: no task is linked or registered under it",
        ),
    ] {
        assert_eq!(read(name).unwrap_err().to_string(), expected);
        assert_eq!(name.parse::<TaskName>().unwrap_err().to_string(), expected);
    }
}

#[tokio::test]
async fn a_task_name_knows_what_is_registered_by_hand_with_the_current_runtime() {
    let (runtime, _recorder) = Runtime::recorded()
        .register::<OrderPlaced>()
        .build()
        .await
        .unwrap();

    let name = runtime.scope(async { TaskName::new("OrderPlaced") }).await;

    assert_eq!(name.unwrap().to_string(), "OrderPlaced");
}

#[tokio::test]
async fn the_command_enqueues_a_task_for_later() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();
    let before = SystemTime::now();

    let (code, out, err) = run(
        &runtime,
        &[
            "tasks",
            "enqueue",
            "Charge",
            r#"{"invoice":7}"#,
            "--in",
            "5m",
            "--id",
            "charge-7",
        ],
        None,
    )
    .await;

    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "enqueued charge-7 in queue charges\n", "")
    );
    let envelope = &recorder.envelopes()[0];
    assert_eq!(envelope.body(), br#"{"invoice":7}"#);
    let ahead = envelope.schedule_time().unwrap().duration_since(before).unwrap();
    assert!(ahead >= Duration::from_secs(300), "{ahead:?}");
}

#[tokio::test]
async fn the_command_refuses_wrong_arguments_before_anything_is_sent() {
    let (runtime, recorder) = Runtime::recorded().build().await.unwrap();

    for (arguments, expected) in [
        (
            r#"{"invoice":"x"}"#,
            "invoice: invalid type: string, expected u64 at line 1 column 14",
        ),
        ("{", "EOF while parsing an object at line 1 column 1"),
    ] {
        let (code, out, err) = run(&runtime, &["tasks", "enqueue", "Charge", arguments], None).await;

        let expected =
            format!("error: task Charge was not enqueued: its arguments do not decode: {expected}\n");
        assert_eq!((code, out, err), (1, String::new(), expected));
    }
    assert!(recorder.envelopes().is_empty());
}
