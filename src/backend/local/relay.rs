//! The relay: a loopback server that the emulator calls for each delivery of a message and each run of a schedule.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::backend::local::guard;
use crate::backend::local::pubsub::PubSub;
use crate::backend::local::scheduler::{self, Scheduler};
use crate::base::text::error_chain;

/// Serves until it is dropped. Its connections end with their tokio runtime.
pub(crate) async fn serve(
    listener: TcpListener,
    pubsub: Arc<PubSub>,
    scheduler: Arc<Scheduler>,
) -> Infallible {
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
        let (pubsub, scheduler) = (Arc::clone(&pubsub), Arc::clone(&scheduler));
        let service = service_fn(move |request| answer(Arc::clone(&pubsub), Arc::clone(&scheduler), request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error_chain(&error), "a connection to the relay failed");
            }
        });
    }
}

/// A success ends the emulator's task; on any other response the emulator calls again after a backoff.
async fn answer<B>(
    pubsub: Arc<PubSub>,
    scheduler: Arc<Scheduler>,
    mut request: Request<B>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if let Some(reason) = guard::refusal(&request) {
        return Ok(guard::refused(reason));
    }
    let token = request.headers_mut().remove(header::AUTHORIZATION);
    let mut response = Response::new(Full::default());
    let path = request.uri().path();
    let done = if path.starts_with(scheduler::PATH) {
        scheduler.attempt(path, token).await
    } else {
        pubsub.deliver(path, token).await
    };
    if !done {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    Ok(response)
}
