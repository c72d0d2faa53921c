//! `fastapi-gcp-tasks` as a producer.

use serde_json::json;

use crate::python::Python;
use crate::stage::{ACCOUNT, LOCATION, Stage};
use crate::tasks::{Add, Input, Profile};

const QUEUE: &str = "fastapi";

async fn producer(test: &str) -> Option<(Stage, Python)> {
    let stage = Stage::open().await;
    let engine = stage.engine.url();
    let vars = [
        ("ENDPOINT", stage.endpoint.as_str()),
        ("ENGINE_URL", &engine),
        ("GCP_LOCATION", LOCATION),
        ("GCP_PROJECT", &stage.project),
        ("SERVICE_ACCOUNT", ACCOUNT),
    ];
    let (python, _) = Python::start(test, "fastapi_peer.py", &vars).await?;
    Some((stage, python))
}

#[tokio::test]
async fn a_task_from_fastapi_is_let_in_and_runs() {
    let Some((mut stage, mut fastapi)) = producer("a_task_from_fastapi_is_let_in_and_runs").await else {
        return;
    };

    let told = fastapi.call("delay_add", json!({"a": 1, "b": 2})).await;

    assert_eq!(stage.answer().await, ("/tasks/Add".to_owned(), 200));
    let run = stage.run().await;
    assert_eq!(run.input, Input::Add(Add { a: 1, b: 2 }));
    assert_eq!(
        (run.metadata.queue(), run.metadata.id()),
        (Some(QUEUE), told["id"].as_str())
    );
    assert_eq!(run.header("content-type"), Some("application/json"));
    stage.engine.wait_idle(QUEUE).await.unwrap();
    stage.close().await;
}

#[tokio::test]
async fn a_task_from_fastapi_whose_url_has_a_query_is_let_in_with_its_values_unchanged() {
    let test = "a_task_from_fastapi_whose_url_has_a_query_is_let_in_with_its_values_unchanged";
    let Some((mut stage, mut fastapi)) = producer(test).await else {
        return;
    };
    let profile = || Profile {
        name: "Zoë — 日本 🎉".to_owned(),
        ratio: 117.633_311_394_000_17,
        big: 9_007_199_254_740_993,
        referrer: None,
    };

    let call = json!({"values": profile(), "source": "printemps été"});
    fastapi.call("delay_profile", call).await;

    let path = "/tasks/Profile?source=printemps+%C3%A9t%C3%A9";
    assert_eq!(stage.answer().await, (path.to_owned(), 200));
    assert_eq!(stage.run().await.input, Input::Profile(profile()));
    stage.close().await;
}

/// Its body is empty, which is how the library says that there are no arguments.
#[tokio::test]
async fn a_task_without_arguments_from_fastapi_runs() {
    let Some((mut stage, mut fastapi)) = producer("a_task_without_arguments_from_fastapi_runs").await else {
        return;
    };

    fastapi.call("delay_nothing", json!({})).await;

    assert_eq!(stage.answer().await, ("/tasks/Nothing".to_owned(), 200));
    assert_eq!(stage.run().await.input, Input::Nothing);
    stage.close().await;
}
