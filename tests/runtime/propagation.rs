use axum::Router;
use axum::routing::post as on_post;
use cloud_tasks::testing::Recorder;
use cloud_tasks::{Config, Context, Runtime, Task, TaskResult, task};
use http::{HeaderMap, Request};
use serde::{Deserialize, Serialize};
use tower::ServiceExt;

use crate::tasks::{Add, Log, post, send};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Enqueues another task from inside.
#[derive(Deserialize, Serialize)]
struct Forward;

#[task]
impl Task for Forward {
    async fn run(self, _cx: Context) -> TaskResult {
        let runtime = Runtime::current()?;
        Add { left: 1, right: 2 }.asap().await?;
        runtime.spawn(Add { left: 3, right: 4 }.asap()).await??;
        Ok(())
    }
}

async fn signup() {
    Forward.asap().await.unwrap();
}

async fn recorded(config: Config) -> (Runtime, Recorder) {
    Runtime::recorded().config(config).build().await.unwrap()
}

fn last_headers(recorder: &Recorder) -> HeaderMap {
    recorder.envelopes().last().unwrap().headers().clone()
}

fn signup_request() -> Request<axum::body::Body> {
    let mut request = post("/signup", "");
    request
        .headers_mut()
        .insert("traceparent", TRACE.parse().unwrap());
    request
        .headers_mut()
        .insert("authorization", "Bearer secret".parse().unwrap());
    request
        .headers_mut()
        .insert("x-request-id", "abc".parse().unwrap());
    request
}

#[tokio::test]
async fn what_a_request_enqueues_carries_its_traceparent_and_nothing_else() {
    let (runtime, recorder) = recorded(Config::default()).await;
    let app = Router::new()
        .route("/signup", on_post(signup))
        .layer(runtime.layer());

    app.oneshot(signup_request()).await.unwrap();
    let first = last_headers(&recorder);

    assert_eq!(first["traceparent"], TRACE);
    assert!(!first.contains_key("authorization") && !first.contains_key("x-request-id"));
}

#[tokio::test]
async fn what_a_task_enqueues_or_spawns_carries_the_headers_of_its_own_request() {
    let (runtime, recorder) = recorded(Config::default()).await;
    let mut request = post("/tasks/Forward", "{}");
    request
        .headers_mut()
        .insert("traceparent", TRACE.parse().unwrap());

    let response = send(&runtime, request).await;

    assert_eq!(response.status(), 200);
    let traces: Vec<_> = recorder
        .envelopes()
        .iter()
        .map(|envelope| envelope.headers()["traceparent"].clone())
        .collect();
    assert_eq!(traces, [TRACE, TRACE]);
}

/// Writes the trace that it runs under into the log.
#[derive(Deserialize, Serialize)]
struct TellTrace {
    again: bool,
}

#[task]
impl Task for TellTrace {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        let trace = cx
            .metadata()
            .headers()
            .get("traceparent")
            .map(|value| format!("{value:?}"));
        cx.state().write(trace.unwrap_or_default());
        if self.again {
            TellTrace { again: false }.asap().await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn tasks_that_run_in_this_process_hand_the_headers_on_too() {
    let log = Log::default();
    let runtime = Runtime::eager().state(log.clone()).build().await.unwrap();
    let app = Router::new()
        .route(
            "/signup",
            on_post(|| async { TellTrace { again: true }.asap().await.map(drop).unwrap() }),
        )
        .layer(runtime.layer());

    app.oneshot(signup_request()).await.unwrap();

    assert_eq!(log.lines(), [format!("{TRACE:?}"), format!("{TRACE:?}")]);
}

#[tokio::test]
async fn only_the_headers_of_the_allow_list_travel_and_a_call_may_set_its_own() {
    let (runtime, recorder) = recorded(Config::default().propagated_headers(["X-Request-Id"])).await;
    let app = Router::new()
        .route(
            "/signup",
            on_post(|| async {
                Add { left: 1, right: 2 }.asap().await.unwrap();
                Add { left: 1, right: 2 }
                    .asap()
                    .header("x-request-id", "own")
                    .await
                    .unwrap();
            }),
        )
        .layer(runtime.layer());

    app.oneshot(signup_request()).await.unwrap();

    let envelopes = recorder.envelopes();
    assert_eq!(envelopes[0].headers()["x-request-id"], "abc");
    assert_eq!(envelopes[1].headers()["x-request-id"], "own");
    assert!(!envelopes[0].headers().contains_key("traceparent"));
}

#[tokio::test]
async fn outside_a_request_nothing_is_propagated() {
    let (runtime, recorder) = recorded(Config::default()).await;

    Add { left: 1, right: 2 }.asap().on(&runtime).await.unwrap();

    let headers = last_headers(&recorder);
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["content-type"]);
}
