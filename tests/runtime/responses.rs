//! An error as the response of a handler.

use std::time::Duration;

use axum::response::IntoResponse;
use cloud_tasks::{Context, Error, ErrorKind, RetryAfter, Runtime, Task, TaskResult, task};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};

use crate::support::logs::Logs;

#[derive(Deserialize, Serialize)]
struct AskForTime(Duration);

#[task]
impl Task for AskForTime {
    async fn run(self, _cx: Context) -> TaskResult {
        Err(RetryAfter::new(self.0))?
    }
}

async fn response(error: Error) -> (u16, Option<String>, String) {
    let response = error.into_response();
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after");
    let retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, retry_after, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn an_error_that_a_retry_may_mend_is_503_with_retry_after_and_any_other_is_500() {
    let later = |seconds: &str| {
        let body = "The request cannot be handled now, try again later\n";
        (503, Some(seconds.to_owned()), body.to_owned())
    };
    let never = || (500, None, "The request could not be handled\n".to_owned());
    let runtime = Runtime::eager().build().await.unwrap();
    let ask = async |delay: Duration| AskForTime(delay).asap().on(&runtime).await.unwrap_err();
    for (error, expected) in [
        (Error::unavailable("no answer"), later("1")),
        (Error::unreachable("no connection"), later("1")),
        (Error::new(ErrorKind::InProgress, "another delivery"), later("1")),
        (Error::new(ErrorKind::IdempotencyStore, "no database"), later("1")),
        (ask(Duration::from_millis(2500)).await, later("3")),
        (ask(Duration::ZERO).await, later("0")),
        (ask(Duration::from_secs(86_400)).await, later("3600")),
        (ask(Duration::MAX).await, later("3600")),
        (Error::rejected("permission denied"), never()),
        (Error::new(ErrorKind::NoRuntime, "none"), never()),
        (Error::new(ErrorKind::InvalidRequest, "too large"), never()),
        (Error::new(ErrorKind::TaskFailed, "failed"), never()),
    ] {
        let text = format!("{error:#}");
        assert_eq!(error.status(), expected.0, "{text}");
        assert_eq!(response(error).await, expected, "{text}");
    }
}

#[tokio::test]
async fn what_failed_is_logged_and_not_told_to_the_client() {
    let logs = Logs::capture();
    let error =
        Error::unavailable("task Pay was not created").with_source(std::io::Error::other("10.0.0.7 refused"));

    let (_, _, body) = response(error).await;

    assert!(!body.contains("Pay") && !body.contains("10.0.0.7"), "{body}");
    let text = logs.text();
    assert!(
        text.contains("a request failed error=\"task Pay was not created: 10.0.0.7 refused\""),
        "{text}"
    );
}
