//! A Cloud Tasks of our own: the emulator in this process, called through the same client as Google.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use google_cloud_gax::error::rpc::Code;
use google_cloud_tasks_v2::model::Queue;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, oneshot};

use crate::backend::google::{Google, GoogleBackend};
use crate::backend::{Backend, BackendFuture};
use crate::config::Config;
use crate::envelope::Envelope;
use crate::error::{BoxError, Error, ErrorKind};
use crate::runtime::Runtime;

/// A Cloud Tasks in this process, on a loopback port: queues, schedules, retries, deadlines and signed tokens for real.
///
/// Made by [`Runtime::local`]. Queues are made when a task first goes to one. What was not run when it stops is gone.
/// It is the `cloud-tasks-emulator` crate behind the same client that calls Google; it prints a line to standard error
/// for every attempt, and does not heed `Retry-After`.
///
/// ```no_run
/// use cloud_tasks::{Config, Runtime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// let config = Config::from_env()?.endpoint("http://127.0.0.1:8080");
/// let (runtime, engine) = Runtime::local().config(config).build().await?;
/// axum::serve(listener, axum::Router::new().layer(runtime.layer())).await?;
/// engine.stop().await;
/// # Ok(())
/// # }
/// ```
pub struct LocalEngine {
    address: SocketAddr,
    location: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl LocalEngine {
    /// Starts an engine, and points the settings at it.
    pub(crate) async fn start(config: &mut Config) -> Result<(Self, LocalBackend), Error> {
        let failed = |error: BoxError| {
            Error::new(ErrorKind::Build, "the local engine did not start").with_source(error)
        };
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(|error| failed(error.into()))?;
        let address = listener.local_addr().map_err(|error| failed(error.into()))?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("cloud-tasks-engine".into())
            .spawn(move || run(listener, stopped))
            .map_err(|error| failed(error.into()))?;
        config.cloud_tasks_emulator_host = Some(address.to_string());
        let google = Google::new().connect(config).await.map_err(|mistakes| {
            Error::new(
                ErrorKind::Build,
                format!("the runtime was not built: {}", mistakes.join("; ")),
            )
        })?;
        let engine = Self {
            address,
            location: google.target.location().to_owned(),
            stop: Some(stop),
            thread: Some(thread),
        };
        Ok((
            engine,
            LocalBackend {
                google,
                queues: Mutex::default(),
            },
        ))
    }

    /// The URL of the API, which is the issuer of its tokens too; their keys are at `/jwks`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until a queue holds no task: all ran, or were given up. Never, while one keeps failing.
    ///
    /// # Errors
    ///
    /// When the engine does not answer.
    pub async fn wait_idle(&self, queue: &str) -> Result<(), BoxError> {
        let url = format!(
            "{}/emulator/{}/queues/{queue}:waitIdle",
            self.url(),
            self.location
        );
        let request = Request::get(url).body(Empty::<Bytes>::new())?;
        let response = Client::builder(TokioExecutor::new())
            .build_http()
            .request(request)
            .await?;
        match response.status() {
            // A queue that was never used holds nothing.
            StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => Ok(()),
            status => Err(format!("the local engine answered {status}").into()),
        }
    }

    /// Stops the engine and waits for it; attempts under way are cut off, tasks that wait are gone.
    pub async fn stop(mut self) {
        self.signal();
        if let Some(thread) = self.thread.take() {
            // Its end is all that is waited for: a thread that panicked has ended too.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    fn signal(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Fails where the engine has ended by itself.
            let _ = stop.send(());
        }
    }
}

impl Drop for LocalEngine {
    fn drop(&mut self) {
        self.signal();
    }
}

impl fmt::Debug for LocalEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalEngine")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

/// Runs the engine on a tokio of its own: the emulator spawns tasks that only the end of their runtime stops.
fn run(listener: std::net::TcpListener, stopped: oneshot::Receiver<()>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!(%error, "the local engine did not start"),
    };
    let served = runtime.block_on(async {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let serve = cloud_tasks_emulator::serve(listener, format!("http://{address}"), Vec::new());
        tokio::select! {
            served = serve => served,
            _ = stopped => Ok(()),
        }
    });
    if let Err(error) = served {
        tracing::error!(%error, "the local engine stopped");
    }
    runtime.shutdown_timeout(Duration::from_secs(1));
}

/// Creates tasks in the local engine, and the queues that they go to.
pub(crate) struct LocalBackend {
    google: GoogleBackend,
    queues: Mutex<HashSet<String>>,
}

impl LocalBackend {
    async fn make_queue(&self, queue: &str) -> Result<(), Error> {
        let mut made = self.queues.lock().await;
        if made.contains(queue) {
            return Ok(());
        }
        let target = &self.google.target;
        let created = self
            .google
            .client
            .create_queue()
            .set_parent(target.location())
            .set_queue(Queue::new().set_name(target.queue(queue)))
            .send()
            .await;
        match created {
            Err(error)
                if error
                    .status()
                    .is_none_or(|status| status.code != Code::AlreadyExists) =>
            {
                Err(Error::unavailable(format!("the queue {queue} was not made"), false).with_source(error))
            }
            _ => {
                made.insert(queue.to_owned());
                Ok(())
            }
        }
    }
}

impl Backend for LocalBackend {
    fn enqueue<'a>(&'a self, _runtime: &'a Runtime, envelope: Envelope) -> BackendFuture<'a> {
        Box::pin(async move {
            self.make_queue(envelope.queue()).await?;
            self.google.create(envelope).await
        })
    }
}
