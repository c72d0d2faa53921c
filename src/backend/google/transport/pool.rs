//! The connections to Cloud Tasks, of which there are never more than a limit.
//!
//! A call holds one of [`CallLimit`](crate::backend::google::call_limit::CallLimit)'s places, of which there are as many as
//! connections. So a call that finds no idle connection can open one, at the latest when one that is about to close has closed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::backend::google::transport::connection::{Connection, Connector};
use crate::base::http_client::HttpError;

/// How long a connection is kept without a call; as long as Google's client keeps it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// The connections to one server.
pub(super) struct Pool {
    connector: Connector,
    /// A permit for each open connection. Never closed.
    permits: Arc<Semaphore>,
    kept: Mutex<Kept>,
    /// Held while the shared connection is opened.
    sharing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    /// Those that no call uses; the one that was used last is at the end.
    idle: Vec<(Connection, Instant)>,
    /// The one of HTTP/2, which all calls use.
    shared: Option<http2::SendRequest<Full<Bytes>>>,
    /// Closes idle connections.
    sweeper: Option<JoinHandle<()>>,
}

/// Whether a connection has served a call before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Age {
    Kept,
    New,
}

impl Pool {
    pub fn new(connector: Connector, connections: usize) -> Self {
        Self {
            connector,
            permits: Arc::new(Semaphore::new(connections)),
            kept: Mutex::default(),
            sharing: tokio::sync::Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that was kept, without waiting for a new one.
    pub async fn take_kept(&self) -> Option<Connection> {
        if let Some(shared) = self.shared() {
            return Some(shared);
        }
        loop {
            let (mut connection, since) = self.kept().idle.pop()?;
            if !connection.is_closed() && since.elapsed() < IDLE_TIMEOUT && connection.ready().await {
                return Some(connection);
            }
        }
    }

    /// A connection; a new one if no other is idle.
    pub async fn take(&self) -> Result<(Connection, Age), HttpError> {
        if let Some(connection) = self.take_kept().await {
            return Ok((connection, Age::Kept));
        }
        if !self.connector.shares() {
            return Ok((self.open().await?, Age::New));
        }
        let _one_at_a_time = self.sharing.lock().await;
        if let Some(shared) = self.shared() {
            return Ok((shared, Age::Kept));
        }
        let connection = self.open().await?;
        if let Connection::Http2(sender) = &connection {
            self.kept().shared = Some(sender.clone());
        }
        Ok((connection, Age::New))
    }

    fn shared(&self) -> Option<Connection> {
        let mut kept = self.kept();
        let shared = kept.shared.as_ref()?;
        if shared.is_closed() {
            kept.shared = None;
            return None;
        }
        Some(Connection::Http2(shared.clone()))
    }

    async fn open(&self) -> Result<Connection, HttpError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|closed| HttpError::Connect(closed.into()))?;
        self.connector.open(permit).await
    }

    /// Keeps a connection whose call has ended.
    pub fn keep(self: &Arc<Self>, connection: Connection) {
        if matches!(connection, Connection::Http2(_)) || connection.is_closed() {
            return;
        }
        let mut kept = self.kept();
        kept.idle.push((connection, Instant::now()));
        // It ends with its tokio runtime, which may be a test's.
        if kept.sweeper.as_ref().is_none_or(JoinHandle::is_finished) {
            kept.sweeper = Some(tokio::spawn(sweep(Arc::downgrade(self))));
        }
    }
}

/// Closes connections that are idle for too long, until there is none.
async fn sweep(pool: Weak<Pool>) {
    loop {
        sleep(IDLE_TIMEOUT).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let mut kept = pool.kept();
        kept.idle
            .retain(|(connection, since)| !connection.is_closed() && since.elapsed() < IDLE_TIMEOUT);
        if kept.idle.is_empty() {
            kept.sweeper = None;
            return;
        }
    }
}
