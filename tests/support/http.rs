//! Requests to the service of a runtime, without a socket.

use axum::body::Body;
use bytes::Bytes;
use cloud_tasks::Runtime;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

pub(crate) fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path).body(body.into()).unwrap()
}

pub(crate) async fn send(runtime: &Runtime, request: Request<Body>) -> Response<Bytes> {
    let (parts, body) = runtime.service().oneshot(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

/// The status and the body of the response; the body is null if there is none.
pub(crate) async fn answer(runtime: &Runtime, request: Request<Body>) -> (u16, Value) {
    let response = send(runtime, request).await;
    let body = match &response.body()[..] {
        b"" => Value::Null,
        json => serde_json::from_slice(json).unwrap(),
    };
    (response.status().as_u16(), body)
}
