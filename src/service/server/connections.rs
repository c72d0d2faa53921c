//! Accepting and serving connections.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;
use tower_service::Service;

use crate::base::BoxError;
use crate::base::text::error_chain;
use crate::runtime::Runtime;
use crate::service::server::activity::{Activity, Limits, Order};
use crate::service::server::connection;
use crate::service::server::gate::Gate;
use crate::service::server::shutdown::Drain;
use crate::service::server::timed_body::ServeBody;
use crate::service::server::watched::Watched;

/// How long a server without free sockets waits for connections to close.
const OUT_OF_SOCKETS: Duration = Duration::from_secs(1);
/// How often a server whose connections are all busy looks for an idle one.
const FULL: Duration = Duration::from_millis(100);
/// The maximum number of headers of a request.
const MAX_REQUEST_HEADERS: usize = 128;
/// The maximum size of a request's head; a connection holds as much of an unfinished one.
const MAX_REQUEST_HEADER_BYTES: u16 = 63 * 1024;
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const MAX_STREAMS: u32 = 256;

/// The connections of a server.
pub(crate) struct Connections<S> {
    pub service: S,
    pub runtime: Runtime,
    pub drain: Arc<Drain>,
    pub body_timeout: Duration,
    pub http: Builder<TokioExecutor>,
    pub limits: Limits,
    pub write_timeout: Duration,
    pub max: usize,
    pub tasks: JoinSet<()>,
    /// What they do, by their tasks.
    pub open: HashMap<Id, Arc<Activity>>,
    /// A connection for which there is no room yet.
    pub waiting: Option<TcpStream>,
    /// Whether it was logged that all are busy.
    pub reported: bool,
}

/// Serves HTTP/1.1 and HTTP/2.
pub(crate) fn http(answer_timeout: Duration) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        // It would limit the time between two requests as well.
        .header_read_timeout(None)
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

impl<S, R> Connections<S>
where
    S: Service<Request<ServeBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    R: Body<Data: Send, Error: Into<BoxError>> + From<Bytes> + Send + 'static,
{
    /// Accepts connections forever.
    pub async fn accept(&mut self, listener: &TcpListener) {
        loop {
            if self.waiting.is_some() && self.has_room() {
                self.waiting
                    .take()
                    .into_iter()
                    .for_each(|stream| self.serve(stream));
            }
            let full = self.waiting.is_some();
            tokio::select! {
                accepted = listener.accept(), if !full => match accepted {
                    Ok((stream, _)) => self.waiting = Some(stream),
                    Err(error) if is_of_connection(&error) => {}
                    Err(error) => {
                        tracing::error!(error = %error_chain(&error), "accepting a connection failed");
                        self.make_room(self.tasks.len().div_ceil(8));
                        sleep(OUT_OF_SOCKETS).await;
                    }
                },
                Some(ended) = self.tasks.join_next_with_id() => {
                    let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                    self.open.remove(&id);
                }
                () = sleep(FULL), if full => {}
            }
        }
    }

    /// Whether one more connection can be served: there are fewer than the maximum, or one that waits makes room.
    fn has_room(&mut self) -> bool {
        let room = self.tasks.len() < self.max || self.make_room(1) > 0;
        if !room && !self.reported {
            self.reported = true;
            tracing::warn!(
                connections = self.max,
                "all connections are busy; further ones wait until one of them ends (`Serve::max_connections`)"
            );
        }
        room
    }

    /// Closes connections that wait for their clients, the most dispensable first, and returns how many.
    fn make_room(&self, count: usize) -> usize {
        let mut waiting: Vec<_> = self
            .open
            .values()
            .filter_map(|one| Some((one.dispensable()?, one)))
            .collect();
        waiting.sort_unstable_by_key(|(dispensable, _)| *dispensable);
        waiting.truncate(count);
        for (_, activity) in &waiting {
            activity.order(Order::MakeRoom);
        }
        waiting.len()
    }

    fn serve(&mut self, stream: TcpStream) {
        // If this fails, responses are only slower.
        let _ = stream.set_nodelay(true);
        let activity = Activity::new(&self.drain);
        let stream = Watched::new(stream, Arc::clone(&activity), self.write_timeout);
        let service = Gate {
            service: self.service.clone(),
            runtime: self.runtime.clone(),
            body_timeout: self.body_timeout,
            activity: Arc::clone(&activity),
        };
        let connection = self
            .http
            .serve_connection_with_upgrades(TokioIo::new(Box::pin(stream)), service)
            .into_owned();
        let (limits, own) = (self.limits, Arc::clone(&activity));
        let task = self.tasks.spawn(async move {
            let connection = pin!(connection);
            if let Some(Err(error)) = connection::serve(connection, &own, limits).await {
                tracing::debug!(error = %error_chain(&*error), "a connection failed");
            }
        });
        self.open.insert(task.id(), activity);
    }
}

impl<S> Connections<S> {
    /// Ends all connections: idle ones at once, others with their response.
    pub async fn leave(&mut self) {
        for activity in self.open.values() {
            activity.order(Order::Leave);
        }
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Whether the error concerns only this connection.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    )
}
