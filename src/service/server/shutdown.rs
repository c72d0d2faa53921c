//! The gate in front of the service: counts running requests, and closes during shutdown.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use crate::runtime::Runtime;
use crate::service::respond;
use crate::service::server::activity::{Activity, Request as Counted};
use crate::service::server::timed_body::ServeBody;
use crate::service::server::watched::Answer;

/// The running requests, and whether new ones are accepted.
#[derive(Default)]
pub(crate) struct Drain {
    stopping: AtomicBool,
    pub running: TaskTracker,
}

impl Drain {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.running.close();
    }
}

/// Passes requests to a service until shutdown.
#[derive(Clone)]
pub(crate) struct Gate<S> {
    pub service: S,
    /// Knows which delivery of a task is the last one.
    pub runtime: Runtime,
    pub drain: Arc<Drain>,
    pub body_timeout: Duration,
    /// What its connection does.
    pub activity: Arc<Activity>,
}

impl<S: Clone> Gate<S> {
    /// A gate for one connection.
    pub fn for_connection(&self, activity: &Arc<Activity>) -> Self {
        Self {
            activity: Arc::clone(activity),
            ..self.clone()
        }
    }
}

impl<S, R> Service<Request<Incoming>> for Gate<S>
where
    S: Service<Request<ServeBody>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: From<Bytes> + Send + 'static,
{
    type Response = Response<Answer<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer<R>>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let version = request.version();
        let counted = self.activity.start(version);
        // Count first, check second: shutdown does the reverse, so no request is missed.
        let running = self.drain.running.token();
        // A task that its queue does not deliver again is let in: it ends in the time that is left, or is recorded as dead.
        if self.drain.is_stopping() && !self.runtime.is_last_request(request.headers()) {
            if version >= Version::HTTP_2 {
                // Its GOAWAY is what `Connection: close` is in HTTP/1.
                counted.leave();
            }
            let mut response = respond::stopping().map(R::from);
            close(&mut response, version);
            return Box::pin(async move { Ok(answer(response, counted)) });
        }
        let future = self
            .service
            .call(request.map(|body| ServeBody::new(body, self.body_timeout)));
        let drain = Arc::clone(&self.drain);
        Box::pin(async move {
            let _running = running;
            let mut response = future.await?;
            if drain.is_stopping() {
                close(&mut response, version);
            }
            Ok(answer(response, counted))
        })
    }
}

/// Makes the client send its next request over another connection, and so to another instance.
fn close<R>(response: &mut Response<R>, version: Version) {
    if version < Version::HTTP_2 {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

fn answer<R>(response: Response<R>, request: Counted) -> Response<Answer<R>> {
    response.map(|body| Answer { body, request })
}
