//! The limit of concurrent requests.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::{FutureExt, Map};
use http::Response;
use tower::ServiceExt;
use tower::limit::ConcurrencyLimit;
use tower::load_shed::LoadShed;
use tower_service::Service;

/// Limits the concurrent requests. Requests beyond the limit are rejected and do not wait.
#[derive(Clone)]
pub(crate) struct Limit(LoadShed<ConcurrencyLimit<Work>>);

impl Limit {
    pub(crate) fn new(max: usize) -> Self {
        Self(LoadShed::new(ConcurrencyLimit::new(Work, max)))
    }

    /// Runs the work; `None` if the limit is reached.
    pub(crate) async fn run(&self, work: impl Future<Output = Response<Bytes>>) -> Option<Response<Bytes>> {
        // The work itself cannot fail, so an error means that the limit is reached.
        self.0.clone().oneshot(work).await.ok()
    }
}

/// A service that runs the futures it is called with.
#[derive(Clone)]
struct Work;

impl<F: Future<Output = Response<Bytes>>> Service<F> for Work {
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = Map<F, fn(Response<Bytes>) -> Result<Response<Bytes>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, work: F) -> Self::Future {
        work.map(Ok)
    }
}
