//! The relay: a loopback server that the emulator calls for each attempt of a task, each delivery of a message and each
//! run of a schedule.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::backend::local::emulator::Emulator;
use crate::backend::local::guard;
use crate::backend::local::pubsub::PubSub;
use crate::backend::local::relayed_task;
use crate::backend::local::scheduler::{self, Scheduler};
use crate::backend::relay_url;
use crate::base::BoxError;
use crate::base::text::error_chain;

/// What the relay passes requests on to.
pub(crate) struct Relay {
    pub emulator: Arc<Emulator>,
    /// The first segment of the paths of tasks, which only the emulator is told.
    pub secret: String,
    pub pubsub: Arc<PubSub>,
    pub scheduler: Arc<Scheduler>,
}

/// Serves until it is dropped. Its connections end with their tokio runtime.
pub(crate) async fn serve(listener: TcpListener, relay: Relay) -> Infallible {
    let relay = Arc::new(relay);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Usually too many open files, which is transient.
                tracing::error!(error = %error_chain(&error), "the relay could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let relay = Arc::clone(&relay);
        let service = service_fn(move |request| respond(Arc::clone(&relay), request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error_chain(&error), "a connection to the relay failed");
            }
        });
    }
}

/// A success ends the emulator's task; on any other response the emulator calls again after a backoff.
async fn respond<B>(relay: Arc<Relay>, mut request: Request<B>) -> Result<Response<Full<Bytes>>, BoxError>
where
    B: Body<Error: Into<BoxError>>,
{
    let path_and_query = request.uri().path_and_query().map_or("", |path| path.as_str());
    let task = path_and_query
        .strip_prefix(relay_url::PATH)
        .and_then(|path| path.strip_prefix(relay.secret.as_str())?.strip_prefix('/'))
        .map(str::to_owned);
    if let Some(target) = task {
        return relayed_task::pass_on(&relay.emulator, request, &target).await;
    }
    if let Some(reason) = guard::refusal(&request) {
        return Ok(guard::refused(reason));
    }
    let token = request.headers_mut().remove(header::AUTHORIZATION);
    let mut response = Response::new(Full::default());
    let path = request.uri().path();
    let done = if path.starts_with(scheduler::PATH) {
        relay.scheduler.attempt(path, token).await
    } else {
        relay.pubsub.deliver(path, token).await
    };
    if !done {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    Ok(response)
}
