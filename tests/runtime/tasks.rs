//! Tasks and helpers that several tests share.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use bytes::Bytes;
use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use http::{Request, Response};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower::ServiceExt;

/// What tasks wrote down, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn write(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Adds, and says in which attempt.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Add {
    pub(crate) left: u64,
    pub(crate) right: u64,
}

#[task]
impl Task for Add {
    async fn run(self, cx: Context) -> TaskResult<String> {
        Ok(format!(
            "{} in attempt {}",
            self.left + self.right,
            cx.metadata().attempt()
        ))
    }
}

/// Writes a line into the log.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Note {
    pub(crate) text: String,
}

#[task(queue = "notes", timeout = "2m")]
impl Task for Note {
    async fn run(self, cx: Context<Log>) -> TaskResult {
        cx.state().write(self.text);
        Ok(())
    }
}

pub(crate) fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path).body(body.into()).unwrap()
}

pub(crate) async fn send(runtime: &Runtime, request: Request<Body>) -> Response<Bytes> {
    let (parts, body) = runtime.service().oneshot(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

/// The answer's status and body, which is null where there is none.
pub(crate) async fn answer(runtime: &Runtime, request: Request<Body>) -> (u16, Value) {
    let response = send(runtime, request).await;
    let body = match &response.body()[..] {
        b"" => Value::Null,
        json => serde_json::from_slice(json).unwrap(),
    };
    (response.status().as_u16(), body)
}
