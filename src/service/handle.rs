//! Handling a request: route, read, run, respond.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body;
use tokio::time::{Instant, timeout_at};

use crate::auth::{Called, Endpoint};
use crate::base::headers::HANDLED_BY;
use crate::base::{Push, TaskMetadata, TurnedAway, limits, text};
use crate::registry::{AttemptError, RegisteredHandler, TaskInput};
use crate::runtime::{Attempt, Runtime};
use crate::service::body;
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
    // The caller counts its time from here on, whatever a request waits for.
    let since = Instant::now();
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
    let delivery = match endpoint {
        Endpoint::Tasks => Delivery::Task(TaskMetadata::from_headers(parts.headers)),
        Endpoint::Subscriptions => Delivery::Push(parts.headers),
    };
    let max_bytes = runtime.max_bytes(endpoint);
    // The last delivery of a queue is recorded if it is turned away, so its body is needed in any case.
    let last = delivery.is_last(runtime);
    let to_read = if last {
        max_bytes.max(limits::MAX_STORED_BYTES)
    } else {
        max_bytes
    };
    let read = async {
        let read = body::read(body, to_read).await;
        if let (Err(reason), true) = (&read, last) {
            tracing::error!(
                task = %text::excerpt(&name),
                ?reason,
                "the last delivery of a task has no body that could be read, so the task ends without a record"
            );
        }
        read
    };
    let Some(entry) = found else {
        if pushed && runtime.registry().by_name(&name).is_some() {
            // The answer is that of an unknown name: django-cloud-tasks gives the same.
            let path = format!("{}/tasks/{name}", runtime.base_path());
            tracing::warn!(task = %text::excerpt(&name), path, "a push for a task that is not a subscriber; as a task it is at this path");
        } else {
            tracing::warn!(task = %text::excerpt(&name), pushed, "a request for a task that is not registered");
        }
        if last
            && let Delivery::Task(metadata) = delivery
            && let Ok(body) = read.await
        {
            runtime.record_unknown(&name, body, metadata).await;
        }
        return respond::unknown_task(&name);
    };
    let attempt = |body: &Bytes| {
        if body.len() > max_bytes {
            Attempt::TurnedAway(since, TurnedAway::TooLarge(max_bytes))
        } else {
            Attempt::OfQueue(since)
        }
    };
    let Some(limit) = runtime.limit() else {
        return match read.await {
            Ok(body) => {
                let on = attempt(&body);
                perform(runtime, entry, delivery, body, on).await
            }
            Err(unread) => respond::unread(unread, max_bytes),
        };
    };
    if limit.is_exhausted() && !last {
        return respond::busy();
    }
    let wait_until = limit.wait_until(since, delivery.timeout(entry));
    let read = if limit.is_reached() && !last {
        match timeout_at(wait_until, read).await {
            Ok(read) => read,
            Err(_) => return respond::busy(),
        }
    } else {
        read.await
    };
    let body = match read {
        Ok(body) => body,
        Err(unread) => return respond::unread(unread, max_bytes),
    };
    let on = attempt(&body);
    if on != Attempt::OfQueue(since) {
        return perform(runtime, entry, delivery, body, on).await;
    }
    // Only now: a body that never ends must not take the slot of a task that could run.
    match limit.slot(body.len(), wait_until).await {
        Some(_slot) => perform(runtime, entry, delivery, body, on).await,
        None if last => {
            let on = Attempt::TurnedAway(since, TurnedAway::AtLimit);
            perform(runtime, entry, delivery, body, on).await
        }
        None => respond::busy(),
    }
}

/// A request whose caller is verified.
enum Delivery {
    Task(TaskMetadata),
    Push(HeaderMap),
}

impl Delivery {
    /// Whether the queue gives the task up after this delivery, as far as that is known. Pub/Sub has dead letters of its own.
    fn is_last(&self, runtime: &Runtime) -> bool {
        match self {
            Self::Task(metadata) => runtime.is_last_of_queue(metadata),
            Self::Push(_) => false,
        }
    }

    fn timeout(&self, entry: &RegisteredHandler) -> Duration {
        match self {
            Self::Task(metadata) => entry.task_timeout(metadata),
            Self::Push(_) => entry.push_timeout(),
        }
    }
}

/// Runs the task on its body.
async fn perform(
    runtime: &Runtime,
    entry: &RegisteredHandler,
    delivery: Delivery,
    body: Bytes,
    on: Attempt,
) -> Response<Bytes> {
    let pushed = matches!(delivery, Delivery::Push(_));
    let name = entry.registration.name;
    let bound = match entry.bound(name) {
        Ok(bound) => bound,
        Err(error) => {
            tracing::error!(task = name, error = %text::error_chain(&error), "the task cannot run");
            return respond::failed_inside(name);
        }
    };
    let outcome = match delivery {
        Delivery::Task(metadata) => {
            runtime
                .run(entry, bound, TaskInput::Body(body), metadata, on)
                .await
        }
        Delivery::Push(headers) => {
            let bare = entry
                .registration
                .subscriber_options()
                .is_some_and(|options| options.bare_body);
            let read = if bare { Push::read_or_bare } else { Push::read };
            match read(&headers, body) {
                Ok(push) => runtime.attempt_push(entry, bound, push, on).await,
                Err(reason) => {
                    tracing::error!(task = name, reason = %text::brief(&reason), "the push does not decode");
                    Err(AttemptError::Decode(reason))
                }
            }
        }
    };
    match outcome {
        Ok(output) => respond::executed(&output),
        Err(failure) => respond::failed(name, &failure, pushed),
    }
}
