//! The responses to Cloud Tasks and Pub/Sub.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::auth::{Endpoint, Refusal};
use crate::base::headers::HANDLED_BY;
use crate::base::{AttemptText, TaskError, TurnedAway, acknowledges, text};
use crate::registry::AttemptError;
use crate::service::body::Unread;

/// The value of `Retry-After`; both services wait longer by themselves.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest value of `Retry-After`: the longest backoff of a queue, unless it is configured. Source:
/// `google.cloud.tasks.v2.RetryConfig.max_backoff`.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// The same for a push. Source: `google.pubsub.v1.RetryPolicy.maximum_backoff`.
const LONGEST_PUSH_PAUSE: Duration = Duration::from_secs(600);

/// The headers of a response. Every one says that it comes from this library. A copy is cheaper than two insertions.
static HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| {
    HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HANDLED_BY, HeaderValue::from_static(env!("CARGO_PKG_NAME"))),
    ])
});

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

/// The task ran: `{"result": .., "status": "executed"}`.
fn executed(output: &[u8]) -> Response<Bytes> {
    let (before, after) = (br#"{"result":"#, br#","status":"executed"}"#);
    let mut body = Vec::with_capacity(before.len() + output.len() + after.len());
    body.extend_from_slice(before);
    body.extend_from_slice(output);
    body.extend_from_slice(after);
    json(StatusCode::OK, body.into())
}

/// The response for an attempt.
pub(crate) fn outcome(
    name: &str,
    outcome: &Result<Vec<u8>, AttemptError>,
    endpoint: Endpoint,
) -> Response<Bytes> {
    match outcome {
        Ok(output) => executed(output),
        Err(failure) => failed(name, failure, endpoint == Endpoint::Subscriptions),
    }
}

/// The response for a failed attempt.
fn failed(name: &str, failure: &AttemptError, pushed: bool) -> Response<Bytes> {
    match failure {
        AttemptError::Task(TaskError::Discard(discard)) => {
            // Pub/Sub accepts 202 as an acknowledgement, but its emulator treats it as a failure.
            let usual = if pushed {
                StatusCode::OK
            } else {
                StatusCode::ACCEPTED
            };
            let chosen = discard
                .status_code()
                .filter(|status| !pushed || acknowledges(*status))
                .and_then(|status| StatusCode::from_u16(status).ok());
            let status = chosen.unwrap_or(usual);
            if status == StatusCode::NO_CONTENT || status == StatusCode::RESET_CONTENT {
                // These have no body; clients of HTTP/2 insist on that.
                let mut response = json(status, Bytes::new());
                response.headers_mut().remove(CONTENT_TYPE);
                return response;
            }
            discarded(status)
        }
        // Cloud Tasks would retry; this tells it to stop.
        AttemptError::Dead(_) | AttemptError::AlreadyDead => discarded(StatusCode::ACCEPTED),
        AttemptError::Task(TaskError::RetryAfter(retry)) => {
            let text = format!("Task {name} {}", failure.text());
            let pause = if pushed {
                retry.delay().min(LONGEST_PUSH_PAUSE)
            } else {
                retry.delay()
            };
            later(StatusCode::SERVICE_UNAVAILABLE, &text, Some("retry"), pause)
        }
        AttemptError::Decode(_) => {
            let text = format!("Task {name} {}", failure.text());
            error_response(StatusCode::BAD_REQUEST, &text, None)
        }
        AttemptError::Task(TaskError::Failed(_))
        | AttemptError::Output(_)
        | AttemptError::Panicked(_)
        | AttemptError::Store(_)
        | AttemptError::Unrenewed(_)
        | AttemptError::Interrupted => failed_inside(name),
        AttemptError::TurnedAway(TurnedAway::AtLimit) => busy(),
        AttemptError::TurnedAway(TurnedAway::TooLarge(limit)) => unread(Unread::TooLarge, *limit),
        AttemptError::TurnedAway(TurnedAway::UnknownTask) => unknown_task(name),
        // Retried like any failure; 429 and 503 would slow the whole queue down.
        AttemptError::InProgress => {
            let text = format!("Task {name} {}", failure.text());
            error_response(StatusCode::CONFLICT, &text, None)
        }
        AttemptError::TimedOut(_) => {
            let text = format!("Task {name} {}", failure.text());
            error_response(StatusCode::GATEWAY_TIMEOUT, &text, Some("failed"))
        }
    }
}

fn discarded(status: StatusCode) -> Response<Bytes> {
    json(
        status,
        Bytes::from_static(br#"{"result":null,"status":"discarded"}"#),
    )
}

/// An internal failure, with details in the log but not in the response.
pub(crate) fn failed_inside(name: &str) -> Response<Bytes> {
    let text = format!("Task {name} {}", AttemptText::Failed);
    error_response(StatusCode::INTERNAL_SERVER_ERROR, &text, Some("failed"))
}

/// The caller is rejected.
pub(crate) fn refused(refusal: Refusal) -> Response<Bytes> {
    if let Refusal::NoKeys(pause) | Refusal::KeyNotFetched(pause) = refusal {
        return later(
            StatusCode::SERVICE_UNAVAILABLE,
            "The caller cannot be verified now",
            None,
            pause,
        );
    }
    let text = format!("Not allowed: {refusal}");
    if refusal.is_foreign() {
        return error_response(StatusCode::FORBIDDEN, &text, None);
    }
    let mut response = error_response(StatusCode::UNAUTHORIZED, &text, None);
    response
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// The concurrency limit is reached.
pub(crate) fn busy() -> Response<Bytes> {
    later(
        StatusCode::TOO_MANY_REQUESTS,
        "Too many requests at once",
        None,
        PAUSE,
    )
}

/// The server is shutting down.
#[cfg(feature = "serve")]
pub(crate) fn stopping() -> Response<Bytes> {
    let mut response = later(
        StatusCode::SERVICE_UNAVAILABLE,
        "This instance is shutting down",
        None,
        PAUSE,
    );
    // The request may have been for the application.
    response.headers_mut().remove(HANDLED_BY);
    response
}

/// A response that asks for a later retry.
fn later(code: StatusCode, text: &str, status: Option<&'static str>, pause: Duration) -> Response<Bytes> {
    let mut response = error_response(code, text, status);
    response.headers_mut().insert(RETRY_AFTER, whole_seconds(pause));
    response
}

pub(crate) fn unknown_task(name: &str) -> Response<Bytes> {
    let name = text::excerpt(name);
    error_response(StatusCode::NOT_FOUND, &format!("Task {name} not found"), None)
}

pub(crate) fn unknown_path(base_path: &str) -> Response<Bytes> {
    let text = format!(
        "There is nothing here; tasks are at {base_path}/tasks/{{name}}, subscribers at {base_path}/subscriptions/{{name}}"
    );
    error_response(StatusCode::NOT_FOUND, &text, None)
}

pub(crate) fn method_not_allowed() -> Response<Bytes> {
    let mut response = error_response(StatusCode::METHOD_NOT_ALLOWED, "Only POST is taken here", None);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

/// A body that was not read.
pub(crate) fn unread(reason: Unread, limit: usize) -> Response<Bytes> {
    match reason {
        Unread::TooLarge => {
            let text = format!("The body is larger than {limit} bytes");
            error_response(StatusCode::PAYLOAD_TOO_LARGE, &text, None)
        }
        Unread::Broken => error_response(StatusCode::BAD_REQUEST, "The body broke off", None),
    }
}

fn error_response(code: StatusCode, error: &str, status: Option<&'static str>) -> Response<Bytes> {
    let error = &*text::brief(error);
    // A struct of two strings always serializes.
    let body = serde_json::to_vec(&ErrorBody { error, status }).unwrap_or_default();
    json(code, body.into())
}

fn json(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = HEADERS.clone();
    response
}

/// A value of `Retry-After`: rounded up, and at most [`LONGEST_PAUSE`].
pub(super) fn whole_seconds(delay: Duration) -> HeaderValue {
    let delay = delay.min(LONGEST_PAUSE);
    let rounded = delay
        .as_secs()
        .saturating_add(u64::from(delay.subsec_nanos() > 0));
    HeaderValue::from(rounded)
}
