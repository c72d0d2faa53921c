//! Effects with a key of their own, inside a task.

use cloud_tasks_rules::limits::DISPATCH_DEADLINE;
use tokio::time::Instant;

use crate::base::{Context, Error, ErrorKind, TaskError};
use crate::runtime::idempotency::guard::{Begun, Guard};
use crate::runtime::idempotency::key::IdempotencyKey;
use crate::runtime::scope::Scope;

/// The outcome of [`Context::once`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once<T> {
    /// It ran now, with this result.
    Ran(T),
    /// It had happened before and did not run. The earlier result is not kept.
    AlreadyDone,
}

impl<T> Once<T> {
    /// The result, if the effect ran now.
    pub fn ran(self) -> Option<T> {
        match self {
            Self::Ran(value) => Some(value),
            Self::AlreadyDone => None,
        }
    }

    /// Whether the effect had happened before.
    pub fn is_already_done(&self) -> bool {
        matches!(self, Self::AlreadyDone)
    }
}

impl<S> Context<S> {
    /// Runs an effect once, under a key that names it, whichever task runs it.
    ///
    /// Use it for an event that its publisher may send twice, each time with another message id, or for one of several
    /// effects of a task. After a failure the next attempt tries again; a [`Discard`](crate::Discard) counts as done.
    /// All tasks that use the runtime's [store](crate::runtime::RuntimeBuilder::idempotency) share its keys.
    ///
    /// ```
    /// use cloud_tasks::idempotency::{MemoryStore, Once};
    /// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// use serde::{Deserialize, Serialize};
    ///
    /// # async fn charge(_order: u64) -> Result<&'static str, std::io::Error> { Ok("receipt") }
    /// #[derive(Serialize, Deserialize)]
    /// struct ShipOrder { order: u64 }
    ///
    /// #[task]
    /// impl Task for ShipOrder {
    ///     async fn run(self, cx: Context) -> TaskResult<bool> {
    ///         let charged = cx.once(format!("charge-{}", self.order), charge(self.order)).await?;
    ///         Ok(charged == Once::Ran("receipt"))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let runtime = Runtime::eager().idempotency(MemoryStore::new()).build().await?;
    /// assert!(ShipOrder { order: 7 }.sync().on(&runtime).await?);
    /// assert!(!ShipOrder { order: 7 }.sync().on(&runtime).await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the error of the effect. Also fails, without running the effect, if another delivery is running it, if
    /// the store fails, or if the runtime has no store. Pass the error on with `?`, and the task is retried.
    pub async fn once<T, E: Into<TaskError>>(
        &self,
        key: impl Into<IdempotencyKey>,
        effect: impl Future<Output = Result<T, E>>,
    ) -> Result<Once<T>, TaskError> {
        let key = key.into();
        let runtime = Scope::current()?.runtime;
        let guard = Guard::of(&runtime.inner, key.clone()).ok_or_else(|| no_store(&key))?;
        // A run by hand has no deadline.
        let deadline = self
            .metadata()
            .deadline()
            .unwrap_or_else(|| Instant::now() + DISPATCH_DEADLINE.max);
        let mut held = match guard.begin(deadline).await {
            Ok(Begun::Run(held, _)) => held,
            // Nothing buries an effect; if something did, it must not run again either.
            Ok(Begun::Done | Begun::Dead) => return Ok(Once::AlreadyDone),
            Ok(Begun::InProgress) => return Err(Guard::busy(&key))?,
            Err(error) => return Err(Guard::unanswered(&key, error))?,
        };
        let outcome = tokio::select! {
            // The outcome counts, even if the claim is lost at the same moment.
            biased;
            outcome = effect => outcome.map_err(Into::into),
            lost = held.lost() => Err(lost.into_error(&key).into()),
        };
        match outcome {
            Ok(value) => {
                held.complete().await;
                Ok(Once::Ran(value))
            }
            Err(error) => {
                if error.is_discard() {
                    held.complete().await;
                } else {
                    held.release().await;
                }
                Err(error)
            }
        }
    }
}

fn no_store(key: &IdempotencyKey) -> Error {
    let message = format!(
        "{key} was not run: this runtime has no idempotency store; add `.idempotency(..)`, such as \
         `.idempotency(MemoryStore::new())` in a test"
    );
    Error::new(ErrorKind::IdempotencyStore, message)
}
