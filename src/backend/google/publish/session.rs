//! What one tokio runtime publishes with: its connection, and the publishers of its topics.
//!
//! A connection and a publisher are driven by tasks of the tokio runtime that made them. So each tokio runtime has its own:
//! another one, such as that of the next `#[tokio::test]`, must not depend on it.

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use google_cloud_gax::error::Error as GoogleError;
use google_cloud_gax::retry_policy::RetryPolicy;
use google_cloud_gax::retry_result::RetryResult;
use google_cloud_gax::retry_state::RetryState;
use google_cloud_pubsub::client::BasePublisher;
use tokio::runtime::{Handle, Id};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::backend::google::access::PubSubAccess;
use crate::backend::google::publish::attempts::Failure;
use crate::backend::google::publish::connection::Connection;
use crate::backend::google::publish::queues::Queues;
use crate::base::FixedHash;

/// The sessions of all tokio runtimes.
pub(super) struct Sessions {
    access: PubSubAccess,
    attempt_timeout: Duration,
    by_runtime: Mutex<HashMap<Id, Arc<Session>, FixedHash>>,
}

impl Sessions {
    pub fn new(access: PubSubAccess, attempt_timeout: Duration) -> Self {
        Self {
            access,
            attempt_timeout,
            by_runtime: Mutex::default(),
        }
    }

    pub fn access(&self) -> &PubSubAccess {
        &self.access
    }

    /// The session of the current tokio runtime.
    pub fn current(&self) -> Result<Arc<Session>, Failure> {
        let runtime = Handle::try_current().map_err(|_| Failure::NoRuntime)?;
        let mut sessions = lock(&self.by_runtime);
        // An id is used again after its runtime has ended.
        if let Some(session) = sessions.get(&runtime.id()).filter(|session| session.is_alive()) {
            return Ok(Arc::clone(session));
        }
        sessions.retain(|_, session| session.is_alive());
        let session = Arc::new(Session::new(&runtime));
        sessions.insert(runtime.id(), Arc::clone(&session));
        Ok(session)
    }

    /// The connection of a session. One that does not answer is replaced.
    pub async fn connection(&self, session: &Session) -> Result<Arc<Connection>, Failure> {
        if let Some(connection) = session.connection() {
            return Ok(connection);
        }
        // In a box, since it has kilobytes and few messages need it.
        Box::pin(self.connect(session)).await
    }

    async fn connect(&self, session: &Session) -> Result<Arc<Connection>, Failure> {
        let connecting = async {
            let _one_at_a_time = session.connecting.lock().await;
            if let Some(connection) = session.connection() {
                return Ok(connection);
            }
            let connection = Arc::new(Connection::new(self.build().await?, self.attempt_timeout));
            *lock(&session.connection) = Some(Arc::clone(&connection));
            Ok(connection)
        };
        let connected = timeout(self.attempt_timeout, connecting).await;
        connected.unwrap_or(Err(Failure::NotBuilt(None)))
    }

    async fn build(&self) -> Result<BasePublisher, Failure> {
        let mut builder = BasePublisher::builder()
            .with_credentials(self.access.credentials.clone())
            .with_retry_policy(OneAttempt(self.attempt_timeout));
        if let Some(url) = &self.access.endpoint {
            builder = builder.with_endpoint(url);
        }
        let client = builder.build().await;
        client.map_err(|error| Failure::NotBuilt(Some(Arc::new(error))))
    }
}

/// The connection and the queues of one tokio runtime.
pub(super) struct Session {
    connection: Mutex<Option<Arc<Connection>>>,
    connecting: tokio::sync::Mutex<()>,
    /// Messages with an ordering key.
    pub queues: Queues,
    /// A task that ends when its tokio runtime does.
    alive: JoinHandle<()>,
}

impl Session {
    fn new(runtime: &Handle) -> Self {
        Self {
            connection: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            queues: Queues::default(),
            alive: runtime.spawn(pending()),
        }
    }

    fn is_alive(&self) -> bool {
        !self.alive.is_finished()
    }

    fn connection(&self) -> Option<Arc<Connection>> {
        let connection = lock(&self.connection);
        connection
            .as_ref()
            .filter(|connection| !connection.is_retired())
            .cloned()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.alive.abort();
    }
}

/// The client makes one attempt and limits its time. The retries are ours: after some failures the connection must be made
/// anew, or the messages be sent one at a time.
#[derive(Debug)]
struct OneAttempt(Duration);

impl RetryPolicy for OneAttempt {
    fn on_error(&self, _state: &RetryState, error: GoogleError) -> RetryResult {
        RetryResult::Permanent(error)
    }

    /// The client takes it as the timeout of the attempt.
    fn remaining_time(&self, _state: &RetryState) -> Option<Duration> {
        Some(self.0)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}
