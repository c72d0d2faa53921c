//! A server of a simulation, which is called in the place of one on the network.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::timeout;

use crate::base::BoxFuture;
use crate::base::http_client::HttpError;

type Answer = BoxFuture<'static, Result<Response<Bytes>, HttpError>>;

/// Answers requests in this process.
#[derive(Clone)]
pub(crate) struct Server(Arc<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>);

impl Server {
    pub fn new<F>(answer: impl Fn(Request<Bytes>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(answer(request))))
    }

    /// Sends a request, and waits for its response up to a time limit.
    pub async fn call(&self, request: Request<Bytes>, limit: Duration) -> Result<Response<Bytes>, HttpError> {
        let answered = timeout(limit, (self.0)(request)).await;
        answered.unwrap_or(Err(HttpError::TimedOut(limit)))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}
