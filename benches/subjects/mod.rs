//! One piece of work behind four doors: a bare service, an axum router, the task service with few tasks and with many.
//!
//! All four get the same request, decode the same arguments, do the same work and answer the same bytes.
#![allow(dead_code, reason = "each benchmark uses a part")]

pub(crate) mod many;
pub(crate) mod push;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context as PollContext, Poll, Waker};

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response as AxumResponse};
use axum::{Json, Router, routing};
use bytes::Bytes;
use cloud_tasks::service::TaskService;
use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use serde::{Deserialize, Serialize};
use tower::{Service, ServiceExt, service_fn};

/// A request as Cloud Tasks sends it, with a body that came in one piece.
pub(crate) type TaskRequest = Request<Full<Bytes>>;

/// How many tasks an ordinary application has.
pub(crate) const FEW: usize = 10;

/// The response to the request.
pub(crate) const ANSWER: &str = r#"{"result":"sent welcome to 7 in attempt 3","status":"executed"}"#;

const RETRY_COUNT: &str = "x-cloudtasks-taskretrycount";

/// The arguments.
#[derive(Deserialize, Serialize)]
pub(crate) struct SendWelcomeEmail {
    user_id: u64,
    template: String,
}

impl SendWelcomeEmail {
    /// The work, the same behind every door.
    fn work(self, attempt: u32) -> String {
        format!("sent {} to {} in attempt {attempt}", self.template, self.user_id)
    }
}

#[task(queue = "emails")]
impl Task for SendWelcomeEmail {
    async fn run(self, cx: Context) -> TaskResult<String> {
        let attempt = cx.metadata().attempt();
        Ok(self.work(attempt))
    }
}

#[derive(Serialize)]
struct Answer {
    result: String,
    status: &'static str,
}

impl Answer {
    fn executed(result: String) -> Self {
        Self {
            result,
            status: "executed",
        }
    }
}

/// The number of the attempt, which is all that the work wants to know of the headers.
fn attempt(headers: &HeaderMap) -> u32 {
    let retries = headers
        .get(RETRY_COUNT)
        .and_then(|count| count.to_str().ok()?.parse::<u32>().ok());
    retries.unwrap_or(0).saturating_add(1)
}

/// Builds the request; this alone costs as much as handling it.
pub(crate) fn request() -> TaskRequest {
    Request::post("/tasks/SendWelcomeEmail")
        .header("content-type", "application/json")
        .header("x-cloudtasks-queuename", "emails")
        .header("x-cloudtasks-taskname", "5f9e3c0a7b6d4e2f8a1c0b9d8e7f6a5b")
        .header(RETRY_COUNT, "2")
        .header("x-cloudtasks-taskexecutioncount", "1")
        .header("x-cloudtasks-tasketa", "1767225600.123456")
        .header(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        .body(Full::from(r#"{"user_id":7,"template":"welcome"}"#))
        .unwrap()
}

/// A service which does the work and nothing else.
pub(crate) fn bare() -> impl Service<TaskRequest, Response = Response<Full<Bytes>>, Error = Infallible> + Clone
{
    service_fn(answer::<Full<Bytes>>)
}

/// The function of that service: it reads the body, does the work and answers.
pub(crate) async fn answer<B: Body>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.ok().unwrap().to_bytes();
    let email: SendWelcomeEmail = serde_json::from_slice(&body).unwrap();
    let answer = Answer::executed(email.work(attempt(&parts.headers)));
    let mut response = Response::new(Full::from(serde_json::to_vec(&answer).unwrap()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

/// Reads the one header that the work needs, which is cheaper than axum's extractor of all of them.
struct Attempt(u32);

impl<S: Sync> FromRequestParts<S> for Attempt {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(attempt(&parts.headers)))
    }
}

async fn run(
    Path(name): Path<String>,
    Attempt(attempt): Attempt,
    Json(email): Json<SendWelcomeEmail>,
) -> AxumResponse {
    match name.as_str() {
        "SendWelcomeEmail" => Json(Answer::executed(email.work(attempt))).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What one would write with axum alone.
pub(crate) fn axum() -> Router {
    Router::new().route("/tasks/{name}", routing::post(run))
}

/// The task service of a runtime with this many tasks.
pub(crate) fn tasks(count: usize) -> TaskService {
    wait(runtime(count)).service()
}

/// A runtime with this many tasks.
pub(crate) async fn runtime(count: usize) -> Runtime {
    // The linker gives two, those of the requests.
    let others = many::registrations(count - 2);
    Runtime::eager().register_all(others).build().await.unwrap()
}

/// Whose timers the task service uses, for the deadline of the task; nothing ever waits for them.
static TOKIO: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
});

/// Makes this thread one of tokio's, so that a future may be polled by hand.
pub(crate) fn enter() {
    std::mem::forget(TOKIO.enter());
}

/// Polls a future that has nothing to wait for: once, and never through a scheduler.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut PollContext::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the work waits for something"),
    }
}

/// Handles one request: what is measured.
pub(crate) fn handle<S: Service<TaskRequest>>(
    service: S,
    request: TaskRequest,
) -> Result<S::Response, S::Error> {
    wait(service.oneshot(request))
}

/// Reads the answer as a server does, and returns the length of its body.
pub(crate) fn consume<B: Body<Data = Bytes>>(response: Response<B>) -> usize {
    let mut body = pin!(response.into_body());
    let mut length = 0;
    while let Some(Ok(frame)) = wait(body.frame()) {
        length += frame.into_data().map_or(0, |data| data.len());
    }
    length
}

/// Sends a hundred requests through a service, and looks at its answers.
pub(crate) fn warm<S, B>(service: &S)
where
    S: Service<TaskRequest, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Data = Bytes>,
{
    warm_with(service, request, ANSWER);
}

fn warm_with<S, B>(service: &S, request: fn() -> TaskRequest, answer: &str)
where
    S: Service<TaskRequest, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Data = Bytes>,
{
    enter();
    for _ in 0..100 {
        let Ok(response) = handle(service.clone(), request());
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        let body = wait(response.into_body().collect()).ok().unwrap().to_bytes();
        assert_eq!(body, answer);
    }
}

/// Enables the spans and events of the library, and drops what they say: formatting is the subscriber's own cost.
pub(crate) fn subscribe() {
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    assert!(tracing::enabled!(target: "cloud_tasks::run", tracing::Level::DEBUG));
}
