//! What the tests of this program share: an API that creates every task, and what it was asked.

use cloud_tasks::backend::Google;
use cloud_tasks::task::{Enqueue, Enqueued};
use cloud_tasks::{Config, Runtime};
use http::HeaderValue;
use serde_json::Value;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request};

use crate::support::api::{created, google, sent};

/// An API that creates every task.
pub(crate) async fn willing_api() -> MockServer {
    let api = MockServer::start().await;
    Mock::given(any()).respond_with(created).mount(&api).await;
    api
}

pub(crate) async fn runtime_with(config: Config, google: Google) -> Runtime {
    Runtime::builder()
        .config(config)
        .google(google)
        .build()
        .await
        .unwrap()
}

pub(crate) async fn requests(api: &MockServer) -> Vec<Request> {
    api.received_requests().await.unwrap()
}

pub(crate) async fn the_only_request(api: &MockServer) -> Request {
    let requests = requests(api).await;
    assert_eq!(requests.len(), 1, "{requests:?}");
    requests[0].clone()
}

/// Enqueues a task with these settings, and gives back the request that it made, and its receipt.
pub(crate) async fn enqueue_with(config: Config, enqueue: Enqueue) -> (Request, Enqueued) {
    let api = willing_api().await;
    let runtime = runtime_with(config, google(api.uri())).await;

    let enqueued = enqueue.on(&runtime).await.unwrap();

    (the_only_request(&api).await, enqueued)
}

pub(crate) fn http_request(request: &Request) -> Value {
    sent(request)["task"]["httpRequest"].clone()
}

pub(crate) fn task_headers(request: &Request) -> Value {
    http_request(request)["headers"].clone()
}

/// The authorizations of all requests, in their order.
pub(crate) async fn tokens(api: &MockServer) -> Vec<HeaderValue> {
    let requests = requests(api).await.into_iter();
    requests
        .map(|request| request.headers["authorization"].clone())
        .collect()
}
