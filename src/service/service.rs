//! The tower service.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::runtime::Runtime;
use crate::service::handle::Handling;

/// The service that Cloud Tasks calls: `POST {endpoint}/tasks/{name}` runs a task.
///
/// A plain [`tower_service::Service`] for `http` requests. Use it with axum's `fallback_service` or `nest_service` (at
/// the path of the endpoint), with hyper-util, or with `oneshot` in a test. Other paths are answered with 404. To
/// handle tasks in front of a service of your own, use [`Runtime::layer`].
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use tower::ServiceExt;
/// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
/// # use serde::{Deserialize, Serialize};
/// #[derive(Serialize, Deserialize)]
/// struct Double { value: u64 }
///
/// #[task]
/// impl Task for Double {
///     async fn run(self, _cx: Context) -> TaskResult<u64> { Ok(self.value * 2) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = Runtime::eager().build().await?;
/// let request = http::Request::post("/tasks/Double").body(Full::<Bytes>::from(r#"{"value": 21}"#))?;
/// let response = runtime.service().oneshot(request).await?;
/// assert_eq!(response.status(), 200);
/// # use http_body_util::BodyExt;
/// assert_eq!(response.into_body().collect().await?.to_bytes(), r#"{"result":42,"status":"executed"}"#);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TaskService {
    runtime: Runtime,
}

impl Runtime {
    /// Returns the service that Cloud Tasks calls.
    pub fn service(&self) -> TaskService {
        self.mark_serving();
        TaskService {
            runtime: self.clone(),
        }
    }
}

impl<B> Service<Request<B>> for TaskService
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(Responding {
            handling: Handling::start(&self.runtime, request),
        })
    }
}

pin_project! {
    /// The future of a call, inside the box that its type demands.
    struct Responding<B> {
        #[pin]
        handling: Handling<B>,
    }
}

impl<B: Body + Send + 'static> Future for Responding<B> {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(ready!(self.project().handling.poll(cx)).map(Full::new)))
    }
}

impl fmt::Debug for TaskService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskService").finish_non_exhaustive()
    }
}
