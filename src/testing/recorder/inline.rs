//! Code within which a recorder's tasks run at once.

use std::sync::Arc;

use super::Recorder;
use super::state::Shared;

tokio::task_local! {
    /// The recorders that run at once what the code around enqueues.
    static INLINE: Vec<Arc<Shared>>;
}

/// Whether the code that runs now is such code, for this recorder.
pub(super) fn is_on(shared: &Arc<Shared>) -> bool {
    INLINE
        .try_with(|all| all.iter().any(|one| Arc::ptr_eq(one, shared)))
        .unwrap_or(false)
}

impl Recorder {
    /// Runs a future within which tasks run at once when they are enqueued, and messages are delivered, as in
    /// [eager mode](crate::Runtime::eager): a failure comes back to whoever enqueued.
    ///
    /// Outside of it everything is recorded as before, also at the same time. What ran is told by [`ran`](Self::ran) and
    /// [`delivered`](Self::delivered). A spawned future is outside, and so is a server that another one runs.
    ///
    /// ```standalone_crate
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Debug, Serialize, Deserialize)]
    /// # struct Charge { invoice: u64 }
    /// # #[task]
    /// # impl Task for Charge {
    /// #     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (runtime, recorder) = Runtime::recorded().build().await?;
    /// recorder.inline(Charge { invoice: 7 }.asap().on(&runtime)).await?;
    /// Charge { invoice: 8 }.asap().on(&runtime).await?;
    /// assert_eq!(recorder.ran::<Charge>()[0].task.invoice, 7);
    /// assert_eq!(recorder.enqueued::<Charge>()[0].invoice, 8);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn inline<F: IntoFuture>(&self, future: F) -> F::Output {
        let mut all = INLINE.try_with(Clone::clone).unwrap_or_default();
        all.push(Arc::clone(&self.shared));
        INLINE.scope(all, future.into_future()).await
    }
}
