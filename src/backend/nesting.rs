//! Running a task inside a task, in this process, without using the stack of the outer one.
//!
//! In eager mode a task that enqueues another waits until that one has ended. Polled inside each other, a few dozen of
//! them would overflow the stack. So each nested run is a task of tokio, and the outer one waits for it: the order of
//! execution is the same, and the depth costs memory only.

use tokio::task::JoinSet;
use tracing::Instrument;
use tracing::instrument::WithSubscriber;

use crate::base::{Error, ErrorKind};

/// Each level keeps its outer one in memory. A chain that reaches this depth has no end.
const MAX_DEPTH: u32 = 20_000;

tokio::task_local! {
    /// How many runs the current code is inside of.
    static DEPTH: u32;
}

/// Runs a task or a delivery that this process does at once. If this future is dropped, the run is cancelled.
///
/// # Errors
///
/// Returns the error of the run, and fails without running anything beyond the maximum depth.
pub(crate) async fn run(
    name: &str,
    work: impl Future<Output = Result<(), Error>> + Send + 'static,
) -> Result<(), Error> {
    let depth = DEPTH.try_with(|depth| *depth).unwrap_or(0) + 1;
    if depth > MAX_DEPTH {
        return Err(Error::new(
            ErrorKind::TaskFailed,
            format!(
                "{name} was not run: it is the end of a chain of {MAX_DEPTH} tasks that have enqueued each other, which \
                 seems to have no end; in a test, use `Runtime::recorded()` and `drain_until(..)` for such a chain"
            ),
        ));
    }
    let work = DEPTH.scope(depth, work);
    if depth == 1 {
        // Nothing to save yet, and the caller's own task-local values stay visible.
        return work.await;
    }
    let mut runs = JoinSet::new();
    runs.spawn(work.in_current_span().with_current_subscriber());
    match runs.join_next().await {
        Some(Ok(outcome)) => outcome.map_err(Error::shortened),
        // Panics of tasks are caught further in; this is the end of tokio, or a bug.
        Some(Err(error)) => {
            Err(Error::new(ErrorKind::TaskPanicked, format!("{name} was cut off")).with_source(error))
        }
        None => Ok(()),
    }
}
