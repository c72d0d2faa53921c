//! Waiting for what must happen, but not for ever.

use std::panic::Location;
use std::time::Duration;

use tokio::sync::mpsc;

/// Longer than anything here takes: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for the future, and panics with the caller's place if it takes too long.
#[track_caller]
pub(crate) fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let place = Location::caller();
    async move {
        tokio::time::timeout(PATIENCE, future)
            .await
            .unwrap_or_else(|_| panic!("{place}: this has not happened within {PATIENCE:?}"))
    }
}

/// Waits for what the channel receives next.
#[track_caller]
pub(crate) fn next<T>(receiver: &mut mpsc::UnboundedReceiver<T>) -> impl Future<Output = T> {
    let message = within(receiver.recv());
    async { message.await.expect("somebody who sends") }
}
