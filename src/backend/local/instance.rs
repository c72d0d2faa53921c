//! One engine, and the one that commands act on instead.
//!
//! The engine of a process that runs a command is empty and ends with it. So commands look for the engine of the process that
//! serves, which writes down where it listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Request};
use uuid::Uuid;

use crate::backend::google::{ATTEMPT_TIMEOUT, Google, GoogleBackend, PubSubAccess, PubSubDeadLetters};
use crate::backend::local::record::{self, Record};
use crate::base::http_client::{Connections, HttpClient};
use crate::base::text::error_chain;
use crate::base::{Config, Error, ErrorKind, Invalid};
use crate::registry::Role;

/// The header by which an engine is recognized, in each of its responses.
pub(super) const ENGINE: HeaderName = HeaderName::from_static("x-cloud-tasks-engine");
/// A loopback port answers soon, or is not an engine's.
const PROBE: Duration = Duration::from_secs(2);

/// An engine of this process.
pub(crate) struct Instance {
    pub(super) id: String,
    address: SocketAddr,
    config: Config,
    record: Option<PathBuf>,
    /// Whether anything was sent to it.
    used: AtomicBool,
    /// Whether this process serves the tasks of the engine.
    serving: AtomicBool,
    /// The engine of another process, once a command has found it.
    other: OnceLock<Box<Other>>,
}

/// The engine of another process.
struct Other {
    google: GoogleBackend,
    dead_letters: PubSubDeadLetters,
}

impl Instance {
    pub(super) fn new(address: SocketAddr, config: &Config) -> Self {
        Self {
            id: Uuid::new_v4().simple().to_string(),
            address,
            config: config.clone(),
            record: record::path(config),
            used: AtomicBool::new(false),
            serving: AtomicBool::new(false),
            other: OnceLock::new(),
        }
    }

    /// Something is sent to this engine.
    pub(super) fn mark_used(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// This process serves the tasks of the engine: writes down where it listens. The last engine of a service counts.
    pub fn mark_serving(&self) {
        if self.serving.swap(true, Ordering::Relaxed) {
            return;
        }
        let record = Record {
            address: self.address,
            engine: self.id.clone(),
        };
        let Some(path) = &self.record else { return };
        if let Err(error) = record::write(path, &record) {
            tracing::debug!(error = %error_chain(&error), path = %path.display(), "commands will not find the local engine");
        }
    }

    /// The engine has stopped.
    pub(super) fn withdraw(&self) {
        if let Some(path) = self
            .record
            .as_ref()
            .filter(|_| self.serving.load(Ordering::Relaxed))
        {
            record::remove(path, &self.id);
        }
    }

    /// The engine of another process, if a command has found it.
    pub fn other(&self) -> Option<&GoogleBackend> {
        self.other.get().map(|other| &other.google)
    }

    /// The dead letters of that engine.
    pub fn other_dead_letters(&self) -> Option<&PubSubDeadLetters> {
        self.other.get().map(|other| &other.dead_letters)
    }

    /// The URL of the engine that commands act on.
    pub fn url(&self) -> String {
        let other = self.other().and_then(|other| other.queues.endpoint.clone());
        other.unwrap_or_else(|| format!("http://{}", self.address))
    }

    /// Finds the engine that a command is for: this one if its process serves or has used it, otherwise that of the process
    /// that serves.
    ///
    /// # Errors
    ///
    /// If no engine of this service runs.
    #[cfg_attr(
        not(feature = "cli"),
        expect(dead_code, reason = "only commands look for the engine of another process")
    )]
    pub async fn find(&self) -> Result<(), Error> {
        let is_own = self.used.load(Ordering::Relaxed) || self.serving.load(Ordering::Relaxed);
        if is_own || self.other().is_some() {
            return Ok(());
        }
        let Some(record) = self.record.as_ref().and_then(record::read) else {
            return Err(not_running());
        };
        // Another machine is nobody's laptop: the file does not come from an engine.
        if !record.address.ip().is_loopback()
            || answers_as(record.address).await.as_ref() != Some(&record.engine)
        {
            return Err(not_running());
        }
        let host = record.address.to_string();
        let mut config = self.config.clone().with_cloud_tasks_emulator_host(host);
        let other = Google::new().connect(&mut config, Role::Runs).await;
        let google = other.map_err(|errors| Error::new(ErrorKind::Config, Invalid::join(&errors)))?;
        let dead_letters = PubSubDeadLetters::new(PubSubAccess {
            endpoint: google.queues.endpoint.clone(),
            credentials: google.queues.credentials.clone(),
            project: config.project().unwrap_or_default().to_owned(),
            signer: None,
            attempt_timeout: ATTEMPT_TIMEOUT,
        });
        // Nobody else sets it: one command runs at a time.
        let _ = self.other.set(Box::new(Other { google, dead_letters }));
        Ok(())
    }
}

/// The engine that listens there, if any.
pub(super) async fn answers_as(address: SocketAddr) -> Option<String> {
    let request = Request::get(format!("http://{address}/jwks"))
        .body(Bytes::new())
        .ok()?;
    let http = HttpClient::plain(Connections::Closed).timeout(PROBE);
    let response = http.head(request).await.ok()?;
    response.headers().get(ENGINE)?.to_str().ok().map(str::to_owned)
}

fn not_running() -> Error {
    Error::new(
        ErrorKind::Config,
        "nothing was done: no local engine of this service runs on this machine; start the service first, with the same project, \
         location and application name or endpoint",
    )
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
