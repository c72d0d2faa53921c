//! What several targets share.
#![allow(dead_code, reason = "every target uses a part of it")]

use std::future::Future;

use bytes::Bytes;
use cloud_tasks::Runtime;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::ServiceExt;

/// What no answer of a failure may repeat: it stands in values only.
pub(crate) const SECRET: &str = "hunter2";

/// Runs a future on this thread's tokio runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    thread_local! {
        static TOKIO: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    }
    TOKIO.with(|tokio| tokio.block_on(future))
}

/// An answer whose body was checked to be the JSON that every answer is.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
    pub(crate) text: String,
}

/// Sends a request, and checks what holds of every answer.
pub(crate) async fn send(runtime: &Runtime, request: Request<Full<Bytes>>) -> Answer {
    let response = runtime.service().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let json: Value = serde_json::from_slice(&body).expect("every answer is JSON");
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert_eq!(parts.headers["content-type"], "application/json");
    if parts.status.is_success() {
        assert!(
            json.get("result").is_some() && json["status"].is_string(),
            "{text}"
        );
    } else {
        assert!(json["error"].is_string(), "{text}");
    }
    Answer {
        status: parts.status,
        headers: parts.headers,
        json,
        text,
    }
}

/// A request, unless there is none with such a path or such headers.
pub(crate) fn post<N: AsRef<[u8]>, V: AsRef<[u8]>>(
    path: &str,
    headers: impl IntoIterator<Item = (N, V)>,
    body: impl Into<Bytes>,
) -> Option<Request<Full<Bytes>>> {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(name.as_ref(), value.as_ref());
    }
    request.body(Full::new(body.into())).ok()
}

/// JSON with the names that tasks and messages have, and with [`SECRET`] in every text of its own.
#[derive(Debug, arbitrary::Arbitrary)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Integer(i64),
    Large(u64),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(u8, Tree)>),
}

const NAMES: &[&str] = &[
    "number",
    "text",
    "list",
    "choice",
    "inner",
    "Left",
    "Right",
    "secs",
    "nanos",
    "message",
    "data",
    "attributes",
    "messageId",
    "message_id",
    "publishTime",
    "orderingKey",
    "ordering_key",
    "subscription",
    "deliveryAttempt",
    "_http_headers",
    "traceparent",
    "content",
    "other",
];

impl Tree {
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Integer(value) => (*value).into(),
            Self::Large(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::Text(text) => format!("{SECRET}{text}{SECRET}").into(),
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Object(members) => members
                .iter()
                .map(|(name, value)| (NAMES[usize::from(*name) % NAMES.len()].to_owned(), value.json()))
                .collect(),
        }
    }
}
