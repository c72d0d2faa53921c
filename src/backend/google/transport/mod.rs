//! The transport of the frequent calls: creating and deleting tasks.
//!
//! It sends what Google's client sends, for a third of its cost, on a limited number of connections. Google's client stays for
//! set-up and for all other operations, and for a server that only it can call.

mod authorization;
mod connection;
mod endpoint;
mod pool;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use google_cloud_gax::error::Error as GoogleError;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::backend::google::error;
use crate::base::SharedRecent;
use crate::base::http_client::HttpError;
#[cfg(feature = "testing")]
use crate::base::http_client::Server;
pub(super) use authorization::{Authorization, Token};
use connection::{Call, Connection, Connector, broken};
use endpoint::Endpoint;
use pool::{Age, Pool};

/// Google's response to a create has a few hundred bytes, but an emulator may repeat the task, of up to 1 MiB.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;
/// How many paths are remembered. A program has few queues, unless it makes one per tenant.
const PATHS: usize = 256;

/// The version of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Protocol {
    /// A connection for each call in flight.
    #[default]
    Http1,
    /// One connection for all calls.
    Http2,
}

/// Calls Cloud Tasks.
pub(crate) struct Transport {
    endpoint: Endpoint,
    pool: Arc<Pool>,
    /// The paths of the methods that create a task, by the full path of the queue.
    create_paths: SharedRecent<String, PathAndQuery>,
    /// The server of a simulation, which is called instead.
    #[cfg(feature = "testing")]
    server: Option<Server>,
}

impl Transport {
    /// A transport to this server with at most so many connections; `None` if only Google's client can call it.
    pub fn new(
        url: Option<&str>,
        universe: &str,
        protocol: Protocol,
        connections: usize,
    ) -> Result<Option<Self>, HttpError> {
        let Some(endpoint) = Endpoint::resolve(url, universe) else {
            return Ok(None);
        };
        let connector = Connector::new(endpoint.clone(), protocol)?;
        Ok(Some(Self {
            endpoint,
            pool: Arc::new(Pool::new(connector, connections)),
            create_paths: SharedRecent::new(PATHS),
            #[cfg(feature = "testing")]
            server: None,
        }))
    }

    /// A transport to a server of a simulation.
    #[cfg(feature = "testing")]
    pub fn simulated(server: Server, connections: usize) -> Result<Self, HttpError> {
        let endpoint = Endpoint::simulated();
        let connector = Connector::new(endpoint.clone(), Protocol::default())?;
        Ok(Self {
            endpoint,
            pool: Arc::new(Pool::new(connector, connections)),
            create_paths: SharedRecent::new(PATHS),
            server: Some(server),
        })
    }

    /// The headers of every call, besides those of the credentials.
    pub fn headers(&self) -> HeaderMap {
        HeaderMap::from_iter([
            (header::HOST, self.endpoint.host.clone()),
            (
                header::HeaderName::from_static("x-goog-api-client"),
                HeaderValue::from_static(concat!("cloud-tasks/", env!("CARGO_PKG_VERSION"))),
            ),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ])
    }

    /// The path of the method that creates a task in this queue, given by its full path. `None` if only Google's client can
    /// send it.
    pub fn create_path(&self, queue: &str) -> Option<PathAndQuery> {
        if let Some(path) = self.create_paths.read(queue, PathAndQuery::clone) {
            return Some(path);
        }
        let path = self.endpoint.path(&format!("{queue}/tasks"))?;
        self.create_paths.insert(queue.to_owned(), path.clone(), 1);
        Some(path)
    }

    /// The path of a task, given by its full path. `None` if only Google's client can send it.
    pub fn task_path(&self, task: &str) -> Option<PathAndQuery> {
        self.endpoint.path(task)
    }

    /// Creates a resource with this JSON, and returns that of the response.
    pub async fn post(
        &self,
        path: &PathAndQuery,
        json: Bytes,
        token: &Token,
        limit: Duration,
    ) -> Result<Bytes, GoogleError> {
        let mut call = Request::new(Full::new(json));
        *call.method_mut() = Method::POST;
        *call.uri_mut() = Uri::from(path.clone());
        *call.headers_mut() = token.call.clone();
        self.call(call, limit).await
    }

    /// Deletes a resource.
    pub async fn delete(
        &self,
        path: &PathAndQuery,
        token: &Token,
        limit: Duration,
    ) -> Result<Bytes, GoogleError> {
        let mut call = Request::new(Full::default());
        *call.method_mut() = Method::DELETE;
        *call.uri_mut() = Uri::from(path.clone());
        *call.headers_mut() = token.call.clone();
        call.headers_mut().remove(header::CONTENT_TYPE);
        self.call(call, limit).await
    }

    async fn call(&self, call: Call, limit: Duration) -> Result<Bytes, GoogleError> {
        #[cfg(feature = "testing")]
        if let Some(server) = &self.server {
            let response = simulated(server, call, limit).await.map_err(error::of_http)?;
            return error::of_response(response);
        }
        let response = self.exchange(call, limit).await.map_err(error::of_http)?;
        error::of_response(response)
    }

    /// Sends a call on a connection that is kept, or on a new one.
    async fn exchange(&self, mut call: Call, limit: Duration) -> Result<Response<Bytes>, HttpError> {
        let deadline = Instant::now() + limit;
        loop {
            let taken = timeout_at(deadline, self.pool.take()).await;
            let (mut connection, age) = taken.unwrap_or(Err(HttpError::ConnectTimedOut(limit)))?;
            if matches!(connection, Connection::Http2(_)) {
                self.address_for_http2(&mut call);
            }
            let answered = async {
                let response = match connection.send(call).await {
                    Ok(response) => response,
                    Err(mut error) => return Err((error.take_message(), broken(error.into_error()))),
                };
                let (parts, body) = response.into_parts();
                let body = read(body).await.map_err(|error| (None, error))?;
                Ok(Response::from_parts(parts, body))
            };
            let answered = timeout_at(deadline, answered).await;
            match answered.unwrap_or(Err((None, HttpError::TimedOut(limit)))) {
                Ok(response) => {
                    self.pool.keep(connection);
                    return Ok(response);
                }
                // The server closed the connection before anything was written.
                Err((Some(unsent), _)) if age == Age::Kept => call = unsent,
                Err((Some(_), HttpError::Failed(error))) => return Err(HttpError::Connect(error)),
                Err((_, error)) => return Err(error),
            }
        }
    }

    /// HTTP/2 names the server in the URL.
    fn address_for_http2(&self, call: &mut Call) {
        let path = call.uri().path_and_query();
        if let Some(url) = path.and_then(|path| self.endpoint.url(path)) {
            *call.uri_mut() = url;
            call.headers_mut().remove(header::HOST);
        }
    }
}

/// Sends a call to a server of a simulation.
#[cfg(feature = "testing")]
async fn simulated(server: &Server, call: Call, limit: Duration) -> Result<Response<Bytes>, HttpError> {
    let (parts, body) = call.into_parts();
    let body = body.collect().await.unwrap_or_else(|never| match never {});
    let call = Request::from_parts(parts, body.to_bytes());
    server.call(call, limit).await
}

/// Reads a body, up to the limit.
async fn read(mut body: Incoming) -> Result<Bytes, HttpError> {
    let mut first = Bytes::new();
    // The parts of a body that comes in several.
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| HttpError::Body(error.into()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len() + rest.len() + data.len() > MAX_RESPONSE_BYTES {
            return Err(HttpError::TooLarge(MAX_RESPONSE_BYTES));
        }
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
        if body.is_end_stream() {
            break;
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    Ok([first, rest.freeze()].concat().into())
}
