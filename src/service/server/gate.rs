//! The gate in front of the service: counts running requests, and closes during shutdown.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower_service::Service;

use crate::runtime::Runtime;
use crate::service::respond;
use crate::service::server::activity::{Activity, Request as Counted};
use crate::service::server::timed_body::ServeBody;
use crate::service::server::watched::Answer;

/// Passes the requests of one connection to a service until shutdown.
///
/// A service of hyper's: an adapter from tower's would clone all of it for each request, and not only the service.
pub(crate) struct Gate<S> {
    pub service: S,
    /// Knows which delivery of a task is the last one.
    pub runtime: Runtime,
    pub body_timeout: Duration,
    pub activity: Arc<Activity>,
}

impl<S, R> hyper::service::Service<Request<Incoming>> for Gate<S>
where
    S: Service<Request<ServeBody>, Response = Response<R>> + Clone,
    R: From<Bytes>,
{
    type Response = Response<Answer<R>>;
    type Error = S::Error;
    type Future = GateFuture<S>;

    fn call(&self, request: Request<Incoming>) -> GateFuture<S> {
        let version = request.version();
        let counted = self.activity.start(version);
        // Count first, check second: shutdown does the reverse, so no request is missed.
        let running = counted.drain().running.token();
        // A task that its queue does not deliver again is let in: it ends in the time that is left, or is recorded as dead.
        let refused = counted.drain().is_stopping() && !self.runtime.is_last_request(request.headers());
        let state = if refused {
            if version >= Version::HTTP_2 {
                // Its GOAWAY is what `Connection: close` is in HTTP/1.
                counted.leave();
            }
            State::Refused
        } else {
            State::Waiting {
                service: self.service.clone(),
                request: Some(request.map(|body| ServeBody::new(body, self.body_timeout))),
            }
        };
        GateFuture {
            state,
            admitted: Some(Admitted {
                counted,
                running,
                version,
            }),
        }
    }
}

/// A request that is counted.
struct Admitted {
    counted: Counted,
    /// Counts it until its response begins.
    running: TaskTrackerToken,
    version: Version,
}

pin_project! {
    /// The future of a call. Without a box of its own: what waits inside is small.
    pub(crate) struct GateFuture<S: Service<Request<ServeBody>>> {
        #[pin]
        state: State<S, S::Future>,
        admitted: Option<Admitted>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, F> {
        /// For the service to be ready.
        Waiting { service: S, request: Option<Request<ServeBody>> },
        Called { #[pin] future: F },
        Refused,
    }
}

impl<S, R> Future for GateFuture<S>
where
    S: Service<Request<ServeBody>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Output = Result<Response<Answer<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut response = loop {
            match this.state.as_mut().project() {
                StateProjection::Waiting { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let Some(request) = request.take() else {
                        return Poll::Pending;
                    };
                    let future = service.call(request);
                    this.state.set(State::Called { future });
                }
                StateProjection::Called { future } => break ready!(future.poll(cx))?,
                StateProjection::Refused => break respond::stopping().map(R::from),
            }
        };
        let Some(Admitted {
            counted,
            running,
            version,
        }) = this.admitted.take()
        else {
            return Poll::Pending;
        };
        if counted.drain().is_stopping() && version < Version::HTTP_2 {
            // Makes the client send its next request over another connection, and so to another instance.
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        drop(running);
        Poll::Ready(Ok(response.map(|body| Answer {
            body,
            request: counted,
        })))
    }
}
