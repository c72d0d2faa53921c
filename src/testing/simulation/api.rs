//! The API of the simulated Cloud Tasks: what its transport is answered.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::tasks::NewTask;
use super::world::World;
use crate::base::http_client::{HttpError, Server};
use crate::base::names;
use crate::testing::simulation::Fault;

/// How long a call takes, in milliseconds.
const LATENCY: std::ops::Range<u64> = 2..30;
/// The time limit of an attempt whose task has none.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(600);

tokio::task_local! {
    /// The number of the call of `asap()` that makes the requests.
    static CALL: u64;
}

/// `google.cloud.tasks.v2.CreateTaskRequest`, as far as the library sets it.
#[derive(Deserialize)]
struct CreateTask {
    task: Task,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Task {
    name: Option<String>,
    http_request: HttpRequest,
    schedule_time: Option<google_cloud_wkt::Timestamp>,
    dispatch_deadline: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HttpRequest {
    url: String,
    http_method: Value,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    oidc_token: OidcToken,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OidcToken {
    service_account_email: String,
    #[serde(default)]
    audience: String,
}

impl World {
    /// Marks the requests of one call of `asap()`.
    pub async fn calling<F: Future>(&self, call: F) -> F::Output {
        let number = u64::from(self.next_number("calls"));
        CALL.scope(number, call).await
    }

    /// The server of Cloud Tasks.
    pub fn cloud_tasks(self: &Arc<Self>) -> Server {
        let world = Arc::clone(self);
        Server::new(move |request| {
            let world = Arc::clone(&world);
            let call = CALL.try_with(|call| *call).unwrap_or_default();
            async move { world.answer_call(call, request).await }
        })
    }

    async fn answer_call(
        self: &Arc<Self>,
        call: u64,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, HttpError> {
        let number = self.next_number(&format!("requests of call {call}"));
        let place = format!("create {call}, request {number}");
        let pause = |way| Duration::from_millis(self.number_at(&format!("{place}, {way}"), LATENCY));
        sleep(pause("there")).await;
        if let Some(mut details) = self.fault(Fault::RefusedCreate, &place, "") {
            let error = if details.bool() {
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "UNAVAILABLE",
                    "The service is currently unavailable.",
                )
            } else {
                (
                    StatusCode::TOO_MANY_REQUESTS,
                    "RESOURCE_EXHAUSTED",
                    "Quota exceeded.",
                )
            };
            return Ok(refusal(error));
        }
        let answer = self.answer(call, &request);
        let lost = self.fault(Fault::LostCreate, &place, "");
        if let Some(mut details) = lost {
            if details.bool() {
                std::future::pending::<()>().await;
            }
            return Err(HttpError::Body("the connection was reset".into()));
        }
        sleep(pause("back")).await;
        Ok(answer)
    }

    fn answer(self: &Arc<Self>, call: u64, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path().trim_start_matches("/v2/");
        let queue = path
            .strip_suffix("/tasks")
            .filter(|_| request.method() == Method::POST);
        let Some((parent, queue)) = queue.and_then(|queue| Some((queue, queue.split_once("/queues/")?.1)))
        else {
            return refusal((
                StatusCode::NOT_IMPLEMENTED,
                "UNIMPLEMENTED",
                "The simulation has no such method.",
            ));
        };
        let task = match serde_json::from_slice::<CreateTask>(request.body()) {
            Ok(create) => create.task,
            Err(error) => return refusal((StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", &error.to_string())),
        };
        let new = match new_task(task, queue) {
            Ok(new) => new,
            Err(error) => return refusal((StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", &error)),
        };
        match self.create_task(call, new) {
            Some(id) => {
                let body = json!({"name": format!("{parent}/tasks/{id}")}).to_string();
                Response::new(body.into())
            }
            None => refusal((
                StatusCode::CONFLICT,
                "ALREADY_EXISTS",
                "The task cannot be created because a task with this name existed too recently.",
            )),
        }
    }
}

fn new_task(task: Task, queue: &str) -> Result<NewTask, String> {
    let request = task.http_request;
    // The number and the name of the method in the API.
    if request.http_method != 1 && request.http_method != "POST" {
        return Err(format!("the method {} is not POST", request.http_method));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
        headers.append(
            name,
            HeaderValue::try_from(value).map_err(|error| error.to_string())?,
        );
    }
    let deadline = task.dispatch_deadline.as_deref().map(|text| {
        let seconds = text.strip_suffix('s').and_then(|seconds| seconds.parse().ok());
        let deadline = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        deadline.ok_or_else(|| format!("the deadline {text:?} is not a duration"))
    });
    let audience = match request.oidc_token.audience.as_str() {
        // What the service asks for where nothing is said.
        "" => request.url.clone(),
        audience => audience.to_owned(),
    };
    Ok(NewTask {
        queue: queue.to_owned(),
        id: task
            .name
            .as_deref()
            .map(|name| names::last_segment(name).to_owned()),
        url: request.url,
        headers,
        body: STANDARD
            .decode(request.body)
            .map_err(|error| error.to_string())?
            .into(),
        schedule_time: task
            .schedule_time
            .and_then(|time| SystemTime::try_from(time).ok()),
        deadline: deadline.transpose()?.unwrap_or(DEFAULT_DEADLINE),
        audience,
        account: request.oidc_token.service_account_email,
    })
}

/// The error of a Google API.
fn refusal((code, status, message): (StatusCode, &str, &str)) -> Response<Bytes> {
    let error = json!({"error": {"code": code.as_u16(), "status": status, "message": message}});
    let mut response = Response::new(error.to_string().into());
    *response.status_mut() = code;
    response
}
