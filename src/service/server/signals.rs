//! The signals that stop a server.

use std::future::pending;
use std::io;
use std::pin::Pin;

/// A future of the user that stops the server.
pub(crate) type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What stops a server.
pub(crate) enum Stop {
    Signals(Signals),
    /// `None` after it has completed.
    Future(Option<Shutdown>),
}

/// Who stops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A platform, whose load balancer may send requests for a while.
    Terminated,
    /// Somebody at a terminal, who waits.
    Interrupted,
}

impl Stop {
    /// Waits for the next signal. A future completes once.
    pub async fn next(&mut self) -> Cause {
        match self {
            Self::Signals(signals) => signals.next().await,
            Self::Future(future) => {
                match future {
                    Some(running) => running.as_mut().await,
                    None => pending().await,
                }
                *future = None;
                Cause::Terminated
            }
        }
    }
}

#[cfg(unix)]
pub(crate) struct Signals {
    terminated: tokio::signal::unix::Signal,
    interrupted: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// The handlers are installed when this returns.
    pub fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminated: signal(SignalKind::terminate())?,
            interrupted: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Cause {
        tokio::select! {
            _ = self.terminated.recv() => Cause::Terminated,
            _ = self.interrupted.recv() => Cause::Interrupted,
        }
    }
}

#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
    pub fn install() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Cause {
        // Fails without a console; then there is no Ctrl-C either.
        if tokio::signal::ctrl_c().await.is_err() {
            pending::<()>().await;
        }
        Cause::Interrupted
    }
}
