use cloud_tasks::task::{SharedTask, TaskHandler};
use cloud_tasks::{Context, Runtime, TaskResult, task};
use serde::{Deserialize, Serialize};

use crate::support::http::{answer, post};

/// A task of this service, as it would stand in a shared crate.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct ShipParcel {
    parcel: u64,
}

#[task(service = "shipping", queue = "parcels", aliases = ["Ship"], unique(by = ["parcel"]))]
impl SharedTask for ShipParcel {}

#[derive(Clone, Copy)]
struct Carrier(&'static str);

struct ShipParcels;

#[task]
impl TaskHandler for ShipParcels {
    async fn run(task: ShipParcel, cx: Context<Carrier>) -> TaskResult<String> {
        Ok(format!("{} took {}", cx.state().0, task.parcel))
    }
}

#[tokio::test]
async fn the_service_with_the_handler_runs_the_task_under_its_names() {
    let runtime = Runtime::eager().state(Carrier("van")).build().await.unwrap();

    for name in ["ShipParcel", "Ship"] {
        let (status, body) = answer(&runtime, post(&format!("/tasks/{name}"), r#"{"parcel":7}"#)).await;

        assert_eq!((status, &body["result"]), (200, &"van took 7".into()));
    }
}

#[tokio::test]
async fn the_service_with_the_handler_enqueues_the_task_to_itself() {
    let (runtime, recorder) = Runtime::recorded().state(Carrier("van")).build().await.unwrap();

    let enqueued = ShipParcel { parcel: 7 }.asap().on(&runtime).await.unwrap();
    let again = ShipParcel { parcel: 7 }.asap().on(&runtime).await.unwrap();

    let envelope = &recorder.envelopes()[0];
    assert_eq!(envelope.url(), "http://localhost:8080/tasks/ShipParcel");
    assert_eq!(envelope.service(), None);
    assert_eq!((enqueued.queue(), again.duplicate()), ("parcels", true));
    assert_eq!(recorder.drain().await.unwrap(), 1);
}

#[tokio::test]
async fn a_handler_runs_its_task_in_this_process_and_in_a_test() {
    let runtime = Runtime::eager().state(Carrier("van")).build().await.unwrap();

    let output = ShipParcels::of(ShipParcel { parcel: 7 })
        .sync()
        .on(&runtime)
        .await;
    let performed = runtime
        .perform(ShipParcels::of(ShipParcel { parcel: 8 }))
        .attempt(2)
        .await
        .unwrap();

    assert_eq!(output.unwrap(), "van took 7");
    assert_eq!(performed.assert_done(), "van took 8");
}

#[tokio::test]
async fn a_missing_state_is_reported_for_the_task_of_a_handler() {
    let error = Runtime::local().build().await.unwrap_err();

    assert!(
        error
            .to_string()
            .contains("no state of type `services::handlers::Carrier` was given, which ShipParcel needs: add `.state(..)`"),
        "{error}"
    );
}
