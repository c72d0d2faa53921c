//! Running tasks inline while they are recorded.

use std::sync::Arc;

use super::Recorder;
use super::state::Shared;

tokio::task_local! {
    /// The recorders that are inline for the current code.
    static INLINE: Vec<Arc<Shared>>;
}

/// Whether the current code is inline for this recorder.
pub(super) fn is_on(shared: &Arc<Shared>) -> bool {
    INLINE
        .try_with(|all| all.iter().any(|one| Arc::ptr_eq(one, shared)))
        .unwrap_or(false)
}

/// Keeps the current code's recorders inline in a future that runs as a task of tokio.
pub(super) fn inherit<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let all = INLINE.try_with(Clone::clone).unwrap_or_default();
    INLINE.scope(all, future)
}

impl Recorder {
    /// Runs a future in which tasks run as soon as they are enqueued, and messages are delivered, as in [eager
    /// mode](crate::Runtime::eager): failures return to the caller that enqueued.
    ///
    /// Outside the future everything is still recorded, even concurrently. [`ran`](Self::ran) and
    /// [`delivered`](Self::delivered) return what ran. A spawned future is outside, and so is a server in another task.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Debug, Serialize, Deserialize)]
    /// # struct ChargeCourse { invoice: u64 }
    /// # #[task]
    /// # impl Task for ChargeCourse {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, recorder) = Runtime::recorded().build().await?;
    /// recorder.inline(ChargeCourse { invoice: 7 }.asap().on(&runtime)).await?;
    /// ChargeCourse { invoice: 8 }.asap().on(&runtime).await?;
    /// assert_eq!(recorder.ran::<ChargeCourse>()[0].task.invoice, 7);
    /// assert_eq!(recorder.enqueued::<ChargeCourse>()[0].invoice, 8);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn inline<F: IntoFuture>(&self, future: F) -> F::Output {
        let mut all = INLINE.try_with(Clone::clone).unwrap_or_default();
        all.push(Arc::clone(&self.shared));
        INLINE.scope(all, future.into_future()).await
    }
}
