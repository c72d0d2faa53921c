//! One connection to Cloud Tasks.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::{Connection as _, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::OwnedSemaphorePermit;
use tower_service::Service;

use crate::backend::google::transport::Protocol;
use crate::backend::google::transport::endpoint::Endpoint;
use crate::base::BoxError;
use crate::base::http_client::{HttpError, Versions, plain_connector, tls_connector};

/// A dead peer is found out after this time without a packet, as Google's client does it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

pub(super) type Call = Request<Full<Bytes>>;

/// Opens connections to one server.
pub(super) struct Connector {
    endpoint: Endpoint,
    protocol: Protocol,
    kind: Kind,
}

enum Kind {
    Plain(HttpConnector),
    Tls(HttpsConnector<HttpConnector>),
}

/// A connection that a call can be sent on.
pub(super) enum Connection {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connector {
    pub fn new(endpoint: Endpoint, protocol: Protocol) -> Result<Self, HttpError> {
        let mut tcp = plain_connector();
        tcp.set_keepalive(Some(KEEP_ALIVE));
        tcp.set_keepalive_interval(Some(KEEP_ALIVE));
        tcp.set_keepalive_retries(Some(3));
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        let versions = match protocol {
            Protocol::Http1 => Versions::Http1,
            Protocol::Http2 => Versions::Http2OrHttp1,
        };
        let kind = if endpoint.has_tls {
            Kind::Tls(tls_connector(tcp, versions)?)
        } else {
            Kind::Plain(tcp)
        };
        Ok(Self {
            endpoint,
            protocol,
            kind,
        })
    }

    /// Whether all calls share one connection.
    pub fn shares(&self) -> bool {
        self.protocol == Protocol::Http2
    }

    /// Opens a connection, which holds its permit until its socket is closed.
    pub async fn open(&self, permit: OwnedSemaphorePermit) -> Result<Connection, HttpError> {
        let server = self.endpoint.server.clone();
        match &self.kind {
            Kind::Plain(connector) => {
                let opened = connector.clone().call(server).await;
                let io = opened.map_err(|error| HttpError::Connect(error.into()))?;
                start(io, self.protocol, permit).await
            }
            Kind::Tls(connector) => {
                let io = connector.clone().call(server).await.map_err(HttpError::Connect)?;
                let protocol = if io.connected().is_negotiated_h2() {
                    Protocol::Http2
                } else {
                    Protocol::Http1
                };
                start(io, protocol, permit).await
            }
        }
    }
}

async fn start<I>(io: I, protocol: Protocol, permit: OwnedSemaphorePermit) -> Result<Connection, HttpError>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let failed = |error: hyper::Error| HttpError::Connect(error.into());
    Ok(match protocol {
        Protocol::Http1 => {
            let (sender, connection) = http1::handshake(io).await.map_err(failed)?;
            drive(connection, permit);
            Connection::Http1(sender)
        }
        Protocol::Http2 => {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(KEEP_ALIVE)
                .handshake(io)
                .await
                .map_err(failed)?;
            drive(connection, permit);
            Connection::Http2(sender)
        }
    })
}

/// Runs a connection until it ends. Its errors reach the calls that it breaks.
fn drive<C>(connection: C, permit: OwnedSemaphorePermit)
where
    C: Future<Output = Result<(), hyper::Error>> + Send + 'static,
{
    tokio::spawn(async move {
        // The socket is closed before its place is given to another one.
        if let Err(error) = connection.await {
            tracing::trace!(error = &error as &dyn std::error::Error, "a connection ended");
        }
        drop(permit);
    });
}

impl Connection {
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    /// Waits until the previous call has left the connection. Returns whether it is still open.
    pub async fn ready(&mut self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_ready() || sender.ready().await.is_ok(),
            Self::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    /// Sends a call. It comes back if nothing of it was written.
    pub async fn send(&mut self, call: Call) -> Result<Response<Incoming>, Box<TrySendError<Call>>> {
        match self {
            Self::Http1(sender) => sender.try_send_request(call).await,
            Self::Http2(sender) => sender.try_send_request(call).await,
        }
        .map_err(Box::new)
    }
}

/// What broke a call that was sent.
pub(super) fn broken(error: hyper::Error) -> HttpError {
    HttpError::Failed(BoxError::from(error))
}
