//! The check before a server accepts requests: whether this library answers those for tasks and for subscribers.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::time::Duration;

use http::header::{HOST, USER_AGENT};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_service::Service;

use crate::auth::Endpoint;
use crate::base::BoxError;
use crate::base::headers::HANDLED_BY;
use crate::base::text::brief;
use crate::runtime::Runtime;
use crate::service::probe::{PROBED_NAME, Probe};
use crate::service::server::timed_body::ServeBody;

/// How long a probe may take. A middleware may wait for a database that is still starting.
const LIMIT: Duration = Duration::from_secs(5);

/// What a probe found.
enum Found {
    /// This library answered.
    Us,
    /// Something refused the probe before it was routed. Nothing is known, and nothing is lost: the queue retries.
    Refused(String),
    /// Something else answered.
    Other(StatusCode),
}

/// Returns an error if something else than this library answers requests for tasks or for subscribers.
pub(crate) async fn check<S, R>(runtime: &Runtime, service: S) -> io::Result<()>
where
    S: Service<Request<ServeBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    R: Send + 'static,
{
    check_endpoint(runtime, service.clone(), Endpoint::Tasks).await?;
    // Pushes to a URL of a subscriber's own come by another way.
    let pushed = format!(
        "{}{}",
        runtime.config().base_url(),
        Endpoint::Subscriptions.path()
    );
    let mut subscriptions = runtime.registry().subscriptions().iter();
    if subscriptions.any(|subscription| subscription.url.starts_with(&pushed)) {
        check_endpoint(runtime, service, Endpoint::Subscriptions).await?;
    }
    Ok(())
}

/// Returns an error if something else than this library answers requests for an endpoint.
async fn check_endpoint<S, R>(runtime: &Runtime, service: S, endpoint: Endpoint) -> io::Result<()>
where
    S: Service<Request<ServeBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    R: Send + 'static,
{
    let base_path = runtime.base_path();
    let probed = format!("{}{PROBED_NAME}", endpoint.path());
    let path = format!("{base_path}{probed}");
    let mut found = probe(runtime, service.clone(), &path).await;
    if !matches!(found, Found::Us) && !base_path.is_empty() {
        // A proxy in front of this server may strip the path of the endpoint.
        if let Found::Us = probe(runtime, service, &probed).await {
            found = Found::Us;
        }
    }
    match found {
        Found::Us => Ok(()),
        Found::Refused(reason) => {
            tracing::warn!(
                path,
                reason = %brief(&reason),
                "could not check that such requests reach this library: something in front of it refused the probe"
            );
            Ok(())
        }
        Found::Other(status) => Err(io::Error::other(Misplaced {
            endpoint,
            path,
            status,
        })),
    }
}

async fn probe<S, R>(runtime: &Runtime, mut service: S, path: &str) -> Found
where
    S: Service<Request<ServeBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send>
        + Send
        + 'static,
    R: Send + 'static,
{
    let probe = Probe::default();
    let request = match request(runtime, path, probe.clone()) {
        Ok(request) => request,
        Err(error) => return Found::Refused(error.to_string()),
    };
    // A task of its own, so that a panic in a middleware is not ours.
    let mut calls = JoinSet::new();
    calls.spawn(async move {
        let called = async {
            poll_fn(|cx| service.poll_ready(cx)).await?;
            service.call(request).await
        };
        called
            .await
            .map(|response| (response.status(), is_ours(response.headers())))
            .map_err(Into::into)
    });
    let answer = match timeout(LIMIT, calls.join_next()).await {
        Ok(Some(Ok(answer))) => answer,
        Ok(Some(Err(panic))) => Err(panic.into()),
        Ok(None) | Err(_) => Err(format!("there was no answer within {LIMIT:?}").into()),
    };
    match answer {
        // Our answer is 404. A success was made of it further out, which would be made of a failure, too.
        Ok((status, _)) if status.is_success() => Found::Other(status),
        Ok((_, true)) => Found::Us,
        _ if probe.has_arrived() => Found::Us,
        Ok((status @ (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE), _)) => {
            Found::Other(status)
        }
        Ok((status, _)) => Found::Refused(format!("it answered {status}")),
        Err(error) => Found::Refused(error.to_string()),
    }
}

/// A request as Cloud Tasks would send it here, without a token.
fn request(runtime: &Runtime, path: &str, probe: Probe) -> http::Result<Request<ServeBody>> {
    let endpoint: Uri = runtime.config().base_url().parse().unwrap_or_default();
    let host = endpoint.authority().map_or("localhost", |host| host.as_str());
    Request::post(path)
        .header(HOST, host)
        .header(USER_AGENT, "Google-Cloud-Tasks")
        .header("x-forwarded-proto", endpoint.scheme_str().unwrap_or("https"))
        .extension(probe)
        .body(ServeBody::empty())
}

fn is_ours(headers: &HeaderMap) -> bool {
    headers.contains_key(HANDLED_BY)
}

/// Something else answers requests for tasks.
#[derive(Debug)]
struct Misplaced {
    endpoint: Endpoint,
    path: String,
    status: StatusCode,
}

impl std::error::Error for Misplaced {}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            endpoint,
            path,
            status,
        } = self;
        write!(
            f,
            "the server did not start: POST {path} was answered {status} by something else than this library, "
        )?;
        f.write_str(match (endpoint, status.is_success()) {
            (Endpoint::Tasks, true) => "and so Cloud Tasks would delete every task without running it. ",
            (Endpoint::Tasks, false) => "and so no task would run. ",
            (Endpoint::Subscriptions, true) => {
                "and so Pub/Sub would take every message for acknowledged, although no subscriber ran. "
            }
            (Endpoint::Subscriptions, false) => "and so no subscriber would run. ",
        })?;
        f.write_str(
            "Add the layer last, around all routes and the fallback: \
             `Router::new().route(..).fallback(..).layer(runtime.layer())`; or use `runtime.service()` as the fallback. \
             The endpoint of the settings has the path that this server serves. \
             A process that handles no tasks calls `.without_tasks()`",
        )
    }
}
