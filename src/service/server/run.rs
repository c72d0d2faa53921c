//! Serving, from the first connection to the end of everything that was begun.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tower_service::Service;

use crate::base::text::safe;
use crate::base::{BoxError, is_loopback};
use crate::runtime::Runtime;
use crate::service::server::activity::Limits;
use crate::service::server::connections::{Connections, http};
use crate::service::server::server::{Serve, Tasks};
use crate::service::server::shutdown::Drain;
use crate::service::server::signals::{Cause, Signals, Stop};
use crate::service::server::start_check;
use crate::service::server::timed_body::ServeBody;

/// How long a handler that blocks its thread can delay the end.
const CUT_OFF: Duration = Duration::from_secs(1);
/// The longest part of the grace period that is kept for what requests leave behind when they are cut off: releases of
/// claims, records of dead tasks, messages of transactions.
const REST: Duration = Duration::from_secs(1);
/// Set in services on Cloud Run, where no request comes after SIGTERM.
const CLOUD_RUN_SERVICE: &str = "K_SERVICE";

impl<S, R> Serve<S>
where
    S: Service<Request<ServeBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    R: Body<Data: Send, Error: Into<BoxError>> + From<Bytes> + Send + 'static,
{
    pub(super) async fn run(self) -> io::Result<()> {
        let mut stop = match self.shutdown {
            Some(future) => Stop::Future(Some(future)),
            None => Stop::Signals(Signals::install()?),
        };
        if self.tasks == Tasks::Handled {
            start_check::check(&self.runtime, self.service.clone()).await?;
        }
        report(&self.runtime, self.tasks, &self.listener);
        let drain = Arc::new(Drain::default());
        let mut connections = Connections {
            service: self.service,
            runtime: self.runtime.clone(),
            drain: Arc::clone(&drain),
            body_timeout: self.body_timeout,
            http: http(self.write_timeout),
            limits: Limits {
                header: self.header_timeout,
                idle: self.idle_timeout,
            },
            write_timeout: self.write_timeout,
            max: self.max_connections,
            tasks: JoinSet::new(),
            open: HashMap::new(),
            waiting: None,
            reported: false,
        };

        let cause = tokio::select! {
            () = connections.accept(&self.listener) => Cause::Terminated,
            cause = stop.next() => cause,
        };

        drain.stop();
        let linger = linger(cause, self.linger).min(self.grace);
        tracing::info!(running = drain.running.len(), grace = ?self.grace, ?linger, "stopping");
        let mut cut_off = pin!(sleep(self.grace.saturating_sub(REST.min(self.grace / 10))));
        let mut end = pin!(sleep(self.grace));
        tokio::select! {
            // New requests get 503, so that clients retry elsewhere.
            () = connections.accept(&self.listener) => {}
            ((), ()) = async { tokio::join!(drain.running.wait(), sleep(linger)) } => {}
            () = &mut cut_off => {}
            _ = stop.next() => cut_off.as_mut().reset(Instant::now()),
        }
        drop(self.listener);
        tokio::select! {
            // Responses in progress are delivered.
            () = connections.leave() => {}
            () = &mut cut_off => {}
            _ = stop.next() => {}
        }
        let running = drain.running.len();
        if running > 0 {
            tracing::warn!(
                cut_off = running,
                "requests did not finish in time; their queues will retry them"
            );
        }
        if timeout(CUT_OFF, connections.tasks.shutdown()).await.is_err() {
            tracing::error!("a request that was cut off blocks its thread");
        }
        tokio::select! {
            // What requests and other code spawned, such as tasks that are still being enqueued.
            () = self.runtime.all_spawned_ended() => {}
            () = &mut end => {}
        }
        self.runtime.warn_of_spawned();
        let rest = async {
            self.runtime.flush_messages().await;
            self.runtime.own_work_ended().await;
        };
        if timeout(self.grace.max(REST), rest).await.is_err() {
            tracing::error!("not everything was published in time");
        }
        self.runtime.warn_of_own_work();
        tracing::info!("stopped");
        Ok(())
    }
}

/// How long connections are accepted at least.
fn linger(cause: Cause, set: Option<Duration>) -> Duration {
    if cause == Cause::Interrupted {
        return Duration::ZERO;
    }
    set.unwrap_or_else(|| match std::env::var_os(CLOUD_RUN_SERVICE) {
        Some(_) => Duration::ZERO,
        None => Duration::from_secs(5),
    })
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
