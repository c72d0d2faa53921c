//! From a request to an answer: route, read, run, respond.

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;

use crate::metadata::TaskMetadata;
use crate::runtime::Runtime;
use crate::service::body::{self, Unread};
use crate::service::respond;
use crate::service::route::Route;

/// Answers a request that `route` says is ours.
pub(crate) async fn handle<B: Body>(
    runtime: &Runtime,
    request: Request<B>,
    read_route: impl for<'a> Fn(&'a str, &str) -> Route<'a>,
) -> Response<Bytes> {
    let inner = runtime.inner();
    let (parts, body) = request.into_parts();
    let name = match read_route(parts.uri.path(), &inner.base_path) {
        Route::Task(name) => name,
        Route::Other => return respond::unknown_path(&inner.base_path),
    };
    if parts.method != Method::POST {
        return respond::method_not_allowed();
    }
    let Some(entry) = inner.registry.by_name(&name) else {
        tracing::warn!(task = %name, "a request for a task that is not registered");
        return respond::unknown_task(&name);
    };
    let name = entry.registration.name;
    let bound = match entry.bound(name) {
        Ok(bound) => bound,
        Err(error) => {
            tracing::error!(task = name, %error, "the task cannot run");
            return respond::failed_inside(name);
        }
    };
    let metadata = TaskMetadata::from_headers(parts.headers);
    let body = match body::read(body, inner.max_body_bytes).await {
        Ok(body) => body,
        Err(Unread::TooLarge) => return respond::too_large(inner.max_body_bytes),
        Err(Unread::Broken) => return respond::unreadable(),
    };
    match runtime.run(entry, bound, body, metadata).await {
        Ok(output) => respond::executed(&output),
        Err(failure) => respond::failed(name, &failure),
    }
}
