//! The server.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::net::TcpListener;
use tower_service::Service;

use crate::base::{BoxError, limits::INDEFINITELY};
use crate::runtime::Runtime;
use crate::service::server::signals::Shutdown;
use crate::service::server::timed_body::ServeBody;

/// Whether the service handles tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tasks {
    Handled,
    None,
}

/// A server that starts when it is awaited; returned by [`Runtime::serve`].
#[must_use = "nothing is served until this is awaited"]
pub struct Serve<S> {
    pub(super) runtime: Runtime,
    pub(super) listener: TcpListener,
    pub(super) service: S,
    pub(super) shutdown: Option<Shutdown>,
    pub(super) tasks: Tasks,
    pub(super) grace: Duration,
    pub(super) linger: Option<Duration>,
    pub(super) max_connections: usize,
    pub(super) header_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) body_timeout: Duration,
    pub(super) write_timeout: Duration,
}

impl Runtime {
    /// Serves a service over HTTP/1.1 and HTTP/2 until SIGTERM or Ctrl-C, and then shuts down gracefully.
    ///
    /// The service is [`service()`](Self::service), or your own with [`layer()`](Self::layer) around it, such as axum's
    /// `Router`. During shutdown, new requests get 503 with `Retry-After`, so that they go to another instance, at least
    /// as long as the server [lingers](Serve::linger). Running requests may finish within the [grace period](Serve::grace);
    /// shortly before its end they are cut off, so that Cloud Tasks and Pub/Sub send them again. What they leave behind is
    /// waited for: claims are released, and what a transaction has committed is sent. Messages that were handed to the
    /// publisher are [sent](Self::flush). A second signal cuts off at once.
    ///
    /// Before it accepts requests, it sends the service one for a task that cannot exist, and starts only if the runtime's
    /// layer or service answers it. Otherwise a page would answer 200 for your tasks, and Cloud Tasks would delete them.
    /// If a middleware refuses that request (401, 429, 500, ..), this is logged and the server starts.
    ///
    /// Everything that a client can delay has a time limit: sending its headers, sending its body, reading the
    /// response, sending the next request. The number of connections has [a limit](Serve::max_connections).
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
    /// let serve = runtime.serve(listener, app).grace(Duration::from_secs(8));
    /// # let serve = serve.shutdown(async {}).linger(Duration::ZERO);
    /// serve.await?;   // until SIGTERM or Ctrl-C
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("worker", "run"))]
    pub fn serve<S>(&self, listener: TcpListener, service: S) -> Serve<S> {
        Serve {
            runtime: self.clone(),
            listener,
            service,
            shutdown: None,
            tasks: Tasks::Handled,
            grace: Duration::from_secs(10),
            linger: None,
            max_connections: 4096,
            header_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(620),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
        }
    }
}

impl<S> Serve<S> {
    /// Sets how long running requests may take to finish during shutdown; default 10 seconds, as on Cloud Run.
    ///
    /// The last tenth of it, at most a second, is kept for what requests leave behind that were cut off. Cloud Run kills the
    /// process after 10 seconds in any case. Remaining messages are published after the grace period, and may take as long
    /// again: if your service spawns publishing, set a shorter grace period.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace.min(INDEFINITELY);
        self
    }

    /// Sets how long the server accepts connections at least after the signal, and answers their requests with 503, even if
    /// nothing is running; never longer than the [grace period](Self::grace).
    ///
    /// It is for load balancers that learn only later that the instance stops. On GKE the pod gets SIGTERM at the same
    /// moment as its endpoint is removed, and requests keep coming for some seconds; each connection that is refused is a
    /// failed attempt of a task. With a `preStop` hook that sleeps, set it to zero. Set the pod's
    /// `terminationGracePeriodSeconds` longer than the grace period.
    ///
    /// The default is zero in a service on Cloud Run (where `K_SERVICE` is set), which sends no request after SIGTERM, and
    /// otherwise 5 seconds. After Ctrl-C the server does not linger.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = Some(linger.min(INDEFINITELY));
        self
    }

    /// Shuts down when this future completes, instead of on SIGTERM and Ctrl-C.
    pub fn shutdown(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.shutdown = Some(Box::pin(signal));
        self
    }

    /// Sets how many connections may be open; default 4,096, at least 1.
    ///
    /// Above it, a new connection takes the place of one that waits for its client: first of those that never sent a
    /// request, otherwise of the one that has been idle for the longest time. If all of them are busy, new ones wait. The
    /// same happens if the process runs out of sockets. A connection with unfinished headers may hold about 64 KiB.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// Serves a process that handles no tasks and only enqueues them: the check at the start is omitted.
    pub fn without_tasks(mut self) -> Self {
        self.tasks = Tasks::None;
        self
    }

    /// Sets how long a client may take to send the headers of a request; default 30 seconds. The first request of a
    /// connection must arrive within this time, too. A client of HTTP/2 must also answer pings, see
    /// [`write_timeout`](Self::write_timeout).
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout.min(INDEFINITELY);
        self
    }

    /// Sets how long a connection stays open between two requests; default 620 seconds.
    ///
    /// Google's load balancers keep theirs for 600 seconds. If the server closes one earlier, a request may be on its way,
    /// which is answered with 502 then and costs its task an attempt.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout.min(INDEFINITELY);
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

impl<S> fmt::Debug for Serve<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}
