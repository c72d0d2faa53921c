//! What a task's context takes from the runtime: the time, and randomness.

use std::time::SystemTime;

use crate::base::{Context, process};
use crate::runtime::scope::Scope;

impl<S> Context<S> {
    /// Returns the current time, by the clock of the runtime: that of the [recorder](crate::testing::Recorder#the-clock) in a test,
    /// and virtual time in a [simulation](crate::testing).
    ///
    /// In code that `tokio::spawn` has taken out of the task's scope it is the system's time.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct ExpireCart { until: u64 }
    ///
    /// #[task]
    /// impl Task for ExpireCart {
    ///     async fn run(self, cx: Context) -> TaskResult<bool> {
    ///         Ok(cx.now() >= SystemTime::UNIX_EPOCH + Duration::from_secs(self.until))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let start = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
    /// let (runtime, _recorder) = Runtime::recorded().starting_at(start).build().await?;
    /// assert!(runtime.perform(ExpireCart { until: 100 }).await?.assert_done());
    /// assert!(!runtime.perform(ExpireCart { until: 101 }).await?.assert_done());
    /// # Ok(())
    /// # }
    /// ```
    pub fn now(&self) -> SystemTime {
        Scope::current().map_or_else(|_| process::now(), |scope| scope.runtime.now())
    }

    /// Returns a random number; in a [simulation](crate::testing) it depends on the seed.
    ///
    /// It is not for secrets. Where more is needed, it can seed a generator of your own.
    ///
    /// ```
    /// # use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Serialize, Deserialize)]
    /// struct DrawWinner { tickets: u64 }
    ///
    /// #[task]
    /// impl Task for DrawWinner {
    ///     async fn run(self, cx: Context) -> TaskResult<u64> {
    ///         Ok(cx.random() % self.tickets)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let runtime = Runtime::eager().build().await?;
    /// assert!(runtime.perform(DrawWinner { tickets: 10 }).await?.assert_done() < 10);
    /// # Ok(())
    /// # }
    /// ```
    pub fn random(&self) -> u64 {
        process::random_number()
    }
}
