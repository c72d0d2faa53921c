//! How many requests may be worked on at once.

use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::{FutureExt, Map};
use http::Response;
use tower::ServiceExt;
use tower::limit::ConcurrencyLimit;
use tower::load_shed::LoadShed;
use tower_service::Service;

/// At most so many at once; those beyond are turned away and do not wait.
#[derive(Clone)]
pub(crate) struct Limit(LoadShed<ConcurrencyLimit<Work>>);

impl Limit {
    pub(crate) fn new(max: usize) -> Self {
        Self(LoadShed::new(ConcurrencyLimit::new(Work, max)))
    }

    /// Does the work; `None` where there is too much of it already.
    pub(crate) async fn run(&self, work: impl Future<Output = Response<Bytes>>) -> Option<Response<Bytes>> {
        // Nothing else can go wrong: the work itself has no error.
        self.0.clone().oneshot(work).await.ok()
    }
}

/// The service of doing what it is given.
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
