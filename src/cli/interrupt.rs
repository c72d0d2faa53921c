//! Stopping a command in an orderly way.

/// Completes at Ctrl-C, and on Unix at SIGTERM. Each future waits for the next signal after its first poll.
#[cfg(unix)]
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};

    let (Ok(mut terminated), Ok(mut interrupted)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        // Without a handler the signal ends the process.
        return std::future::pending().await;
    };
    futures_util::future::select(
        std::pin::pin!(terminated.recv()),
        std::pin::pin!(interrupted.recv()),
    )
    .await;
}

/// Completes at Ctrl-C. Each future waits for the next one after its first poll.
#[cfg(not(unix))]
pub(crate) async fn interrupted() {
    // Fails without a console; then there is no Ctrl-C either.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
