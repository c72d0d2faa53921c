//! The tower layer that handles tasks in front of another service.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::base::headers::SeenHeaders;
use crate::runtime::{Runtime, Scope, Scoped};
use crate::service::handle::Handling;
use crate::service::probe::Probe;
use crate::service::route::{Route, route};

/// The user agents of Cloud Tasks, Cloud Scheduler and Pub/Sub.
const GOOGLE_AGENTS: [&[u8]; 4] = [
    b"Google-Cloud-Tasks",
    b"Google-Cloud-Scheduler",
    b"APIs-Google",
    b"CloudPubSub-Google",
];
/// Headers that only they send.
const GOOGLE_HEADERS: [&str; 3] = [
    "x-cloudtasks-taskname",
    "x-cloudscheduler",
    "x-goog-pubsub-message-id",
];

/// A layer that handles requests for tasks, and passes all others to the inner service in the runtime's scope.
///
/// What the inner service enqueues uses this runtime, with the allow-listed headers of its request.
///
/// Add it last, so that it is the outermost layer, around every route and the fallback: axum does not put a layer around
/// what is added after it, and a fallback that answers 200 for a task makes Cloud Tasks delete it.
/// [`Runtime::serve`](crate::Runtime#method.serve) refuses to start in this case.
///
/// The layer handles every path `{endpoint}/tasks/{name}` and `{endpoint}/subscriptions/{name}`. If your service has a
/// `/tasks/..` of its own, give the endpoint a path. The path may have been stripped by a proxy or by axum's `nest`; a
/// stripped path is handled if it names a registered task, or if Cloud Tasks, Pub/Sub or Cloud Scheduler sent it.
///
/// ```
/// use axum::{Router, routing::post};
/// # use cloud_tasks::{Context, Error, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # struct SendConfirmation { user_id: u64 }
/// # #[task]
/// # impl Task for SendConfirmation {
/// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
/// # }
/// async fn signup() -> Result<String, String> {
///     let email = SendConfirmation { user_id: 7 }.asap().await.map_err(|error| error.to_string())?;
///     Ok(email.id().to_owned())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// # let runtime = Runtime::eager().build().await?;
/// let app: Router = Router::new()
///     .route("/signup", post(signup))
///     .fallback(|| async { "not a page of this shop" })
///     .layer(runtime.layer());   // last
/// # let _ = app;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TaskLayer {
    runtime: Runtime,
}

impl Runtime {
    /// Returns a tower layer that handles tasks in front of a service.
    pub fn layer(&self) -> TaskLayer {
        self.mark_serving();
        TaskLayer {
            runtime: self.clone(),
        }
    }
}

impl<S> Layer<S> for TaskLayer {
    type Service = TaskLayerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TaskLayerService {
            runtime: self.runtime.clone(),
            inner,
        }
    }
}

impl<S> TaskLayerService<S> {
    /// Whether a request is for this library and not for the inner service.
    ///
    /// Under the path of the endpoint everything is ours. A proxy, or `nest`, may have stripped that path; the rest may
    /// then also be a route of the inner service, for which `/tasks/..` is a good name. So a stripped path is ours if
    /// it names a task, or if a caller of Google's sent it: an unknown task must not reach a page that answers 200.
    fn is_for_us<B>(&self, request: &Request<B>) -> bool {
        let (path, base_path) = (request.uri().path(), self.runtime.base_path());
        if route(path, base_path) != Route::Other {
            return true;
        }
        if base_path.is_empty() || request.method() != Method::POST {
            return false;
        }
        let name = match route(path, "") {
            Route::Task(name) | Route::Subscription(name) => name,
            Route::Other => return false,
        };
        self.runtime.registry().by_name(&name).is_some()
            || is_from_google(request.headers())
            || Probe::is_in(request)
    }
}

/// Whether Cloud Tasks, Cloud Scheduler or Pub/Sub sent a request, as far as it says so. This proves nothing.
fn is_from_google(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).map_or(&[][..], HeaderValue::as_bytes);
    GOOGLE_AGENTS.iter().any(|name| agent.starts_with(name))
        || GOOGLE_HEADERS.iter().any(|name| headers.contains_key(*name))
}

/// A service with task handling in front, returned by [`TaskLayer`].
#[derive(Clone)]
pub struct TaskLayerService<S> {
    runtime: Runtime,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for TaskLayerService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body + Send + 'static,
    B::Data: Send,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = TaskFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if self.is_for_us(&request) {
            return TaskFuture {
                kind: Kind::Task {
                    run: Box::pin(Handling::start(&self.runtime, request)),
                },
            };
        }
        SeenHeaders::of(request.headers_mut());
        let scope = Scope::with_headers(&self.runtime, request.headers());
        // A service may enqueue in `call` itself, before its future is polled.
        let future = scope.clone().call(|| self.inner.call(request));
        TaskFuture {
            kind: Kind::Inner {
                future: scope.run(future),
            },
        }
    }
}

pin_project! {
    /// The response future of a [`TaskLayerService`].
    pub struct TaskFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<F> {
        Task { run: Pin<Box<dyn Future<Output = Response<Bytes>> + Send>> },
        Inner { #[pin] future: Scoped<F> },
    }
}

impl<F, R, E> Future for TaskFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Task { run } => Poll::Ready(Ok(ready!(run.as_mut().poll(cx)).map(R::from))),
            KindProjection::Inner { future } => future.poll(cx),
        }
    }
}

impl fmt::Debug for TaskLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLayer").finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for TaskLayerService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLayerService").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for TaskFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskFuture").finish_non_exhaustive()
    }
}
