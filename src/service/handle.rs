//! Handling a request: route, read, run, respond.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::auth::{Called, Endpoint};
use crate::base::headers::SeenHeaders;
use crate::base::{BoxFuture, TaskMetadata, text};
use crate::registry::RegisteredHandler;
use crate::runtime::{Attempt, AttemptFuture, Runtime};
use crate::service::accepted::{Accepted, Delivery};
use crate::service::body;
use crate::service::limited;
use crate::service::probe::{PROBED_NAME, Probe};
use crate::service::respond;
use crate::service::route::{Route, nested_route};

pin_project! {
    /// The response to a request with a route of ours.
    ///
    /// Up to the body nothing waits, so that much is done before there is a future: it need not keep the request. Only what most
    /// requests need is here, and the rest is in a box of its own. So the future stays small: a test measures it.
    #[project = HandlingProjection]
    pub(crate) enum Handling<B> {
        Reading { #[pin] body: body::Read<B>, accepted: Option<Accepted> },
        Running { #[pin] attempt: AttemptFuture, name: &'static str, endpoint: Endpoint },
        Rare { future: BoxFuture<'static, Response<Bytes>> },
        Ended { response: Option<Response<Bytes>> },
    }
}

impl<B> Handling<B> {
    pub fn ended(response: Response<Bytes>) -> Self {
        Self::Ended {
            response: Some(response),
        }
    }

    /// What happens rarely.
    pub fn rare(future: impl Future<Output = Response<Bytes>> + Send + 'static) -> Self {
        Self::Rare {
            future: Box::pin(future),
        }
    }
}

impl<B: Body + Send + 'static> Handling<B> {
    /// Does what needs no waiting: route, caller, task.
    pub fn start(runtime: &Runtime, request: Request<B>) -> Self {
        if Probe::note(&request) {
            // As for any task that does not exist.
            return Self::ended(respond::unknown_task(PROBED_NAME));
        }
        // The caller counts its time from here on, whatever a request waits for.
        let since = Instant::now();
        let (mut parts, body) = request.into_parts();
        let seen = SeenHeaders::of(&mut parts.headers);
        let target = match Target::of(runtime, &parts.method, &parts.uri) {
            Ok(target) => target,
            Err(response) => return Self::ended(*response),
        };
        match runtime.access().decide(&target.called(), &parts.headers) {
            Some(Ok(())) => accept(runtime, target, parts.headers, seen, body, since),
            Some(Err(refusal)) => Self::ended(respond::refused(refusal)),
            None => {
                let runtime = runtime.clone();
                Self::rare(async move { verify(&runtime, parts, seen, body, since).await })
            }
        }
    }
}

impl<B: Body + Send + 'static> Future for Handling<B> {
    type Output = Response<Bytes>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<Bytes>> {
        let response = loop {
            let next = match self.as_mut().project() {
                HandlingProjection::Reading { body, accepted } => {
                    let read = ready!(body.poll(cx));
                    match accepted.take() {
                        Some(accepted) => accepted.read(read),
                        None => return Poll::Pending,
                    }
                }
                HandlingProjection::Running {
                    attempt,
                    name,
                    endpoint,
                } => break respond::outcome(name, &ready!(attempt.poll(cx)), *endpoint),
                HandlingProjection::Rare { future } => break ready!(future.as_mut().poll(cx)),
                HandlingProjection::Ended { response } => match response.take() {
                    Some(response) => return Poll::Ready(response),
                    None => return Poll::Pending,
                },
            };
            self.set(next);
        };
        // What the attempt holds is released with its response.
        self.set(Self::Ended { response: None });
        Poll::Ready(response)
    }
}

/// The task that a request is for.
struct Target<'a> {
    endpoint: Endpoint,
    name: Cow<'a, str>,
    /// `None` if it does not run here, or not in this way.
    found: Option<&'a Arc<RegisteredHandler>>,
}

impl<'a> Target<'a> {
    /// The target of a request, or the response if it has none.
    fn of(runtime: &'a Runtime, method: &Method, uri: &'a Uri) -> Result<Self, Box<Response<Bytes>>> {
        let (name, endpoint) = match nested_route(uri.path(), runtime.base_path()) {
            Route::Task(name) => (name, Endpoint::Tasks),
            Route::Subscription(name) => (name, Endpoint::Subscriptions),
            Route::Other => return Err(Box::new(respond::unknown_path(runtime.base_path()))),
        };
        if runtime.only_enqueues() {
            return Err(Box::new(respond::unknown_task(&name)));
        }
        if *method != Method::POST {
            return Err(Box::new(respond::method_not_allowed()));
        }
        let pushed = endpoint == Endpoint::Subscriptions;
        let found = runtime
            .registry()
            .by_name(&name)
            .filter(|entry| entry.registration.runs_here())
            .filter(|entry| !pushed || entry.registration.subscriber_options().is_some());
        Ok(Self {
            endpoint,
            name,
            found,
        })
    }

    fn called(&self) -> Called<'_> {
        let options = match self.endpoint {
            Endpoint::Tasks => None,
            Endpoint::Subscriptions => self
                .found
                .and_then(|entry| entry.registration.subscriber_options()),
        };
        Called {
            endpoint: self.endpoint,
            name: &self.name,
            signed: options.is_none_or(|options| options.oidc),
            own_url: options.and_then(|options| options.url),
        }
    }
}

/// Verifies a token that was not seen before, which may wait for the keys, and goes on.
async fn verify<B: Body + Send + 'static>(
    runtime: &Runtime,
    mut parts: Parts,
    seen: SeenHeaders,
    body: B,
    since: Instant,
) -> Response<Bytes> {
    let headers = std::mem::take(&mut parts.headers);
    let handling = {
        let target = match Target::of(runtime, &parts.method, &parts.uri) {
            Ok(target) => target,
            Err(response) => return *response,
        };
        if let Err(refusal) = runtime.access().verify(&target.called(), &headers).await {
            return respond::refused(refusal);
        }
        accept(runtime, target, headers, seen, body, since)
    };
    handling.await
}

/// Goes on with a request whose caller is accepted.
fn accept<B: Body + Send + 'static>(
    runtime: &Runtime,
    target: Target<'_>,
    headers: HeaderMap,
    seen: SeenHeaders,
    body: B,
    since: Instant,
) -> Handling<B> {
    let Target {
        endpoint,
        name,
        found,
    } = target;
    let delivery = match endpoint {
        Endpoint::Tasks => Delivery::Task(TaskMetadata::from_seen(headers, seen)),
        Endpoint::Subscriptions => Delivery::Push(headers),
    };
    let Some(entry) = found else {
        return unknown(runtime, &name, delivery, body);
    };
    let is_rare = runtime.limit().is_some() || delivery.is_last(runtime);
    let accepted = Accepted {
        runtime: runtime.clone(),
        entry: Arc::clone(entry),
        delivery,
        on: Attempt::OfQueue(since),
    };
    if is_rare {
        return Handling::rare(limited::handle(accepted, body, since));
    }
    Handling::Reading {
        body: body::read(body, runtime.max_bytes(endpoint)),
        accepted: Some(accepted),
    }
}

/// Responds to a request for a task that does not run here, and records the task if this was its last delivery.
fn unknown<B: Body + Send + 'static>(
    runtime: &Runtime,
    name: &str,
    delivery: Delivery,
    body: B,
) -> Handling<B> {
    let pushed = matches!(delivery, Delivery::Push(_));
    if pushed && runtime.registry().by_name(name).is_some() {
        // The answer is that of an unknown name: django-cloud-tasks gives the same.
        let path = format!("{}/tasks/{name}", runtime.base_path());
        tracing::warn!(task = %text::excerpt(name), path, "a push for a task that is not a subscriber; as a task it is at this path");
    } else {
        tracing::warn!(task = %text::excerpt(name), pushed, "a request for a task that is not registered");
    }
    match delivery {
        Delivery::Task(metadata) if runtime.is_last_of_queue(&metadata) => {
            let (runtime, name) = (runtime.clone(), name.to_owned());
            Handling::rare(async move {
                if let Ok(body) = limited::read_last(&runtime, Endpoint::Tasks, &name, body).await {
                    runtime.record_unknown(&name, body, metadata).await;
                }
                respond::unknown_task(&name)
            })
        }
        _ => Handling::ended(respond::unknown_task(name)),
    }
}
