//! The server.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower_service::Service;

use crate::base::text::safe;
use crate::base::{BoxError, is_loopback, limits::INDEFINITELY};
use crate::runtime::Runtime;
use crate::service::server::connections::{Connections, http};
use crate::service::server::shutdown::{Drain, Gate};
use crate::service::server::start_check;
use crate::service::server::timed_body::ServeBody;

/// How long a handler that blocks its thread can delay the end.
const CUT_OFF: Duration = Duration::from_secs(1);

type Signal = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Whether the service handles tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tasks {
    Handled,
    None,
}

/// A server that starts when it is awaited; returned by [`Runtime::serve`].
#[must_use = "nothing is served until this is awaited"]
pub struct Serve<S> {
    runtime: Runtime,
    listener: TcpListener,
    service: S,
    signal: Option<Signal>,
    tasks: Tasks,
    grace: Duration,
    header_timeout: Duration,
    body_timeout: Duration,
    write_timeout: Duration,
}

impl Runtime {
    /// Serves a service over HTTP/1.1 and HTTP/2 until SIGTERM or Ctrl-C, and then shuts down gracefully.
    ///
    /// The service is [`service()`](Self::service), or your own with [`layer()`](Self::layer) around it, such as axum's
    /// `Router`. During shutdown, new requests get 503 with `Retry-After`, so that they go to another instance. Running
    /// requests may finish within the [grace period](Serve::grace); after that they are cut off, so that Cloud Tasks
    /// and Pub/Sub send them again. Messages that were handed to the publisher are [sent](Self::flush).
    ///
    /// Before it accepts requests, it sends the service one for a task that cannot exist, and starts only if the runtime's
    /// layer or service answers it. Otherwise a page would answer 200 for your tasks, and Cloud Tasks would delete them.
    /// If a middleware refuses that request (401, 429, 500, ..), this is logged and the server starts.
    ///
    /// Everything that a client can delay has a time limit: sending its headers, sending its body, reading the
    /// response.
    ///
    /// # Errors
    ///
    /// If the signal handlers cannot be installed, or if something else than this library answers requests for tasks, such
    /// as a fallback that was added after the layer. Nothing was served.
    ///
    /// ```
    /// use std::time::Duration;
    /// use axum::{Router, routing::get};
    /// # use cloud_tasks::Runtime;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::eager().build().await?;
    /// let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(runtime.layer());
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// let stop = async {};   // a test's; without `shutdown(..)` it is SIGTERM or Ctrl-C
    /// runtime.serve(listener, app).grace(Duration::from_secs(8)).shutdown(stop).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve<S>(&self, listener: TcpListener, service: S) -> Serve<S> {
        Serve {
            runtime: self.clone(),
            listener,
            service,
            signal: None,
            tasks: Tasks::Handled,
            grace: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
        }
    }
}

impl<S> Serve<S> {
    /// Sets how long running requests may take to finish during shutdown; default 10 seconds, as on Cloud Run.
    ///
    /// Cloud Run kills the process after 10 seconds in any case. Remaining messages are published after the grace
    /// period, and may take as long again: if your service spawns publishing, set a shorter grace period.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Shuts down when this future completes, instead of on SIGTERM and Ctrl-C.
    pub fn shutdown(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.signal = Some(Box::pin(signal));
        self
    }

    /// Serves a process that handles no tasks and only enqueues them: the check at the start is omitted.
    pub fn without_tasks(mut self) -> Self {
        self.tasks = Tasks::None;
        self
    }

    /// Sets how long a client may take to send the headers of a request, including the first one, and how long an idle
    /// HTTP/1.1 connection stays open; default 30 seconds.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout.min(INDEFINITELY);
        self
    }

    /// Sets how long the body of a request may take to arrive after the first wait for it; default 60 seconds.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// Sets how long a client may leave a response unread (HTTP/1.1) or a ping unanswered (HTTP/2) before its
    /// connection is closed; default 30 seconds.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout.min(INDEFINITELY);
        self
    }
}

impl<S, R> Serve<S>
where
    S: Service<Request<ServeBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    R: Body<Data: Send, Error: Into<BoxError>> + From<Bytes> + Send + 'static,
{
    async fn run(self) -> io::Result<()> {
        let signal = match self.signal {
            Some(signal) => signal,
            None => signals()?,
        };
        if self.tasks == Tasks::Handled {
            start_check::check(&self.runtime, self.service.clone()).await?;
        }
        report(&self.runtime, self.tasks, &self.listener);
        let drain = Arc::new(Drain::default());
        let mut connections = Connections {
            service: Gate {
                service: self.service,
                drain: Arc::clone(&drain),
                body_timeout: self.body_timeout,
                started: Arc::default(),
            },
            http: http(self.header_timeout, self.write_timeout),
            header_timeout: self.header_timeout,
            write_timeout: self.write_timeout,
            graceful: GracefulShutdown::new(),
            tasks: JoinSet::new(),
        };

        tokio::select! {
            () = connections.accept(&self.listener) => {}
            () = signal => {}
        }

        drain.stop();
        tracing::info!(running = drain.running.len(), grace = ?self.grace, "stopping");
        let mut grace = std::pin::pin!(sleep(self.grace));
        tokio::select! {
            // New requests get 503, so that clients retry elsewhere.
            () = connections.accept(&self.listener) => {}
            () = drain.running.wait() => {}
            () = &mut grace => {}
        }
        drop(self.listener);
        let Connections {
            graceful, mut tasks, ..
        } = connections;
        tokio::select! {
            // Responses in progress are delivered.
            () = graceful.shutdown() => {}
            () = &mut grace => {}
        }
        let cut_off = drain.running.len();
        if cut_off > 0 {
            tracing::warn!(
                cut_off,
                "requests did not finish in time; their queues will retry them"
            );
        }
        if timeout(CUT_OFF, tasks.shutdown()).await.is_err() {
            tracing::error!("a request that was cut off blocks its thread");
        }
        tokio::select! {
            // What requests and other code spawned, such as tasks that are still being enqueued.
            () = self.runtime.all_spawned_ended() => {}
            () = &mut grace => {}
        }
        self.runtime.warn_of_unfinished();
        if timeout(self.grace, self.runtime.flush_messages()).await.is_err() {
            tracing::error!("not everything was published in time");
        }
        tracing::info!("stopped");
        Ok(())
    }
}

impl<S, R> IntoFuture for Serve<S>
where
    S: Service<Request<ServeBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    R: Body<Data: Send, Error: Into<BoxError>> + From<Bytes> + Send + 'static,
{
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// Logs what is served, and warns if tasks of this machine go to another port.
fn report(runtime: &Runtime, tasks: Tasks, listener: &TcpListener) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let config = runtime.config();
    let endpoint = safe(config.endpoint());
    tracing::info!(%address, endpoint = &*endpoint, ?tasks, "serving");
    let uri: Uri = config.base_url().parse().unwrap_or_default();
    let default = if uri.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let port = uri.port_u16().unwrap_or(default);
    if tasks == Tasks::Handled && uri.authority().is_some_and(is_loopback) && port != address.port() {
        tracing::warn!(
            "tasks are sent to the endpoint {endpoint}, and this server listens on port {}: set CLOUD_TASKS_ENDPOINT to \
             http://localhost:{}, or listen on port {port}",
            address.port(),
            address.port()
        );
    }
}

/// Completes on SIGTERM or Ctrl-C. The handlers are installed when this returns.
#[cfg(unix)]
fn signals() -> io::Result<Signal> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    Ok(Box::pin(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    }))
}

/// Completes on Ctrl-C.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn signals() -> io::Result<Signal> {
    Ok(Box::pin(async {
        // Fails without a console; then there is no Ctrl-C either.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }))
}

impl<S> fmt::Debug for Serve<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}
