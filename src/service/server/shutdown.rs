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

use crate::service::respond;
use crate::service::server::timed_body::ServeBody;

/// The running requests, and whether new ones are accepted.
#[derive(Default)]
pub(crate) struct Drain {
    stopping: AtomicBool,
    pub running: TaskTracker,
}

impl Drain {
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.running.close();
    }
}

/// Passes requests to a service until shutdown.
#[derive(Clone)]
pub(crate) struct Gate<S> {
    pub service: S,
    pub drain: Arc<Drain>,
    pub body_timeout: Duration,
    /// Whether this connection has received a request.
    pub started: Arc<AtomicBool>,
}

impl<S: Clone> Gate<S> {
    /// A gate for one connection, and the flag whether the connection has received a request.
    pub fn for_connection(&self) -> (Self, Arc<AtomicBool>) {
        let started = Arc::new(AtomicBool::new(false));
        let gate = Self {
            started: Arc::clone(&started),
            ..self.clone()
        };
        (gate, started)
    }
}

impl<S, R> Service<Request<Incoming>> for Gate<S>
where
    S: Service<Request<ServeBody>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: From<Bytes> + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        self.started.store(true, Ordering::Relaxed);
        // Count first, check second: shutdown does the reverse, so no request is missed.
        let running = self.drain.running.token();
        if self.drain.stopping.load(Ordering::SeqCst) {
            let response = stopping(request.version()).map(R::from);
            return Box::pin(async move { Ok(response) });
        }
        let future = self
            .service
            .call(request.map(|body| ServeBody::new(body, self.body_timeout)));
        Box::pin(async move {
            let _running = running;
            future.await
        })
    }
}

fn stopping(version: Version) -> Response<Bytes> {
    let mut response = respond::stopping();
    if version < Version::HTTP_2 {
        // The next request goes to another instance.
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
