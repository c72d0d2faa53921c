//! Accepting and serving connections.

use std::io;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tower_service::Service;

use crate::base::BoxError;
use crate::base::headers::{MAX_REQUEST_HEADER_BYTES, MAX_REQUEST_HEADERS};
use crate::base::text::error_chain;
use crate::service::server::shutdown::Gate;

/// How long a server without free sockets waits for connections to close.
const OUT_OF_SOCKETS: Duration = Duration::from_secs(1);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const MAX_STREAMS: u32 = 256;

/// The connections of a server.
pub(crate) struct Connections<S> {
    pub service: S,
    pub http: Builder<TokioExecutor>,
    pub header_timeout: Duration,
    pub write_timeout: Duration,
    pub graceful: GracefulShutdown,
    pub tasks: JoinSet<()>,
}

/// Serves HTTP/1.1 and HTTP/2, with a time limit for headers.
pub(crate) fn http(header_timeout: Duration, answer_timeout: Duration) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_headers(MAX_REQUEST_HEADERS)
        .max_buf_size(MAX_REQUEST_HEADER_BYTES.into());
    http.http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_REQUEST_HEADER_BYTES.into())
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(answer_timeout);
    http
}

impl<S, R> Connections<Gate<S>>
where
    S: Clone,
    Gate<S>: Service<Request<Incoming>, Response = Response<R>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    R: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    /// Accepts connections forever.
    pub async fn accept(&mut self, listener: &TcpListener) {
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.serve(stream),
                    Err(error) if is_of_connection(&error) => {}
                    Err(error) => {
                        tracing::error!(error = %error_chain(&error), "accepting a connection failed");
                        tokio::time::sleep(OUT_OF_SOCKETS).await;
                    }
                },
                // Removes finished connections.
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    fn serve(&mut self, stream: TcpStream) {
        // If this fails, responses are only slower.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.write_timeout));
        let (service, started) = self.service.for_connection();
        let service = TowerToHyperService::new(service);
        let connection = self
            .http
            .serve_connection_with_upgrades(TokioIo::new(Box::pin(stream)), service)
            .into_owned();
        let connection = self.graceful.watch(connection);
        let header_timeout = self.header_timeout;
        self.tasks.spawn(async move {
            let mut connection = pin!(connection);
            let first = timeout(header_timeout, connection.as_mut()).await;
            let ended = match first {
                Ok(ended) => ended,
                // hyper's own limit starts with the first bytes, so it never applies to a client that sends none.
                Err(_) if !started.load(Ordering::Relaxed) => return,
                Err(_) => connection.await,
            };
            if let Err(error) = ended {
                tracing::debug!(error = %error_chain(&*error), "a connection failed");
            }
        });
    }
}

/// Whether the error concerns only this connection.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    )
}
