//! Handling a request: route, read, run, respond.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body;

use crate::auth::{Called, Endpoint};
use crate::base::headers::HANDLED_BY;
use crate::base::{Push, TaskMetadata, text};
use crate::registry::{AttemptError, RegisteredHandler, TaskInput};
use crate::runtime::{Attempt, Limit, Runtime};
use crate::service::body::{self, Unread};
use crate::service::probe::{PROBED_NAME, Probe};
use crate::service::respond;
use crate::service::route::Route;

/// Responds to a request with a route of ours. Every response says that it comes from this library.
pub(crate) async fn handle<B: Body>(
    runtime: &Runtime,
    request: Request<B>,
    read_route: impl for<'a> Fn(&'a str, &str) -> Route<'a>,
) -> Response<Bytes> {
    let mut response = if Probe::note(&request) {
        // As for any task that does not exist.
        respond::unknown_task(PROBED_NAME)
    } else {
        respond_to(runtime, request, read_route).await
    };
    response
        .headers_mut()
        .insert(HANDLED_BY, HeaderValue::from_static(env!("CARGO_PKG_NAME")));
    response
}

async fn respond_to<B: Body>(
    runtime: &Runtime,
    request: Request<B>,
    read_route: impl for<'a> Fn(&'a str, &str) -> Route<'a>,
) -> Response<Bytes> {
    let (mut parts, body) = request.into_parts();
    let (name, endpoint) = match read_route(parts.uri.path(), runtime.base_path()) {
        Route::Task(name) => (name, Endpoint::Tasks),
        Route::Subscription(name) => (name, Endpoint::Subscriptions),
        Route::Other => return respond::unknown_path(runtime.base_path()),
    };
    if runtime.only_enqueues() {
        return respond::unknown_task(&name);
    }
    let pushed = endpoint == Endpoint::Subscriptions;
    if parts.method != Method::POST {
        return respond::method_not_allowed();
    }
    let found = runtime
        .registry()
        .by_name(&name)
        .filter(|entry| entry.registration.runs_here())
        .filter(|entry| !pushed || entry.registration.subscriber_options().is_some());
    let subscriber = found
        .filter(|_| pushed)
        .and_then(|entry| entry.registration.subscriber_options());
    let called = Called {
        endpoint,
        name: &name,
        signed: subscriber.is_none_or(|options| options.oidc),
        own_url: subscriber.and_then(|options| options.url),
    };
    if let Err(refusal) = runtime.access().check(&called, &mut parts.headers).await {
        return respond::refused(refusal);
    }
    let Some(entry) = found else {
        tracing::warn!(task = %text::excerpt(&name), pushed, "a request for a task that is not registered");
        if pushed && runtime.registry().by_name(&name).is_some() {
            return respond::not_a_subscriber(&name, runtime.base_path());
        }
        return respond::unknown_task(&name);
    };
    if runtime.limit().is_some_and(Limit::is_reached) {
        return respond::busy();
    }
    let max_bytes = runtime.max_bytes(endpoint);
    let body = match body::read(body, max_bytes).await {
        Ok(body) => body,
        Err(Unread::TooLarge) => return respond::too_large(max_bytes),
        Err(Unread::Broken) => return respond::unreadable(),
    };
    let work = perform(runtime, entry, endpoint, parts.headers, body);
    match runtime.limit() {
        // Only now: a body that never ends must not take the place of a task that could run.
        Some(limit) => limit.run(work).await.unwrap_or_else(respond::busy),
        None => work.await,
    }
}

/// Runs the task on its body.
async fn perform(
    runtime: &Runtime,
    entry: &RegisteredHandler,
    endpoint: Endpoint,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Bytes> {
    let pushed = endpoint == Endpoint::Subscriptions;
    let name = entry.registration.name;
    let bound = match entry.bound(name) {
        Ok(bound) => bound,
        Err(error) => {
            tracing::error!(task = name, error = %text::error_chain(&error), "the task cannot run");
            return respond::failed_inside(name);
        }
    };
    let outcome = if pushed {
        let bare = entry
            .registration
            .subscriber_options()
            .is_some_and(|options| options.bare_body);
        let read = if bare { Push::read_or_bare } else { Push::read };
        match read(&headers, body) {
            Ok(push) => runtime.attempt_push(entry, bound, push).await,
            Err(reason) => {
                tracing::error!(task = name, reason = %text::safe(&reason), "the push does not decode");
                Err(AttemptError::Decode(reason))
            }
        }
    } else {
        let metadata = TaskMetadata::from_headers(headers);
        runtime
            .run(entry, bound, TaskInput::Body(body), metadata, Attempt::OfQueue)
            .await
    };
    match outcome {
        Ok(output) => respond::executed(&output),
        Err(failure) => respond::failed(name, &failure, pushed),
    }
}
