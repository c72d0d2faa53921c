//! The mode whose tasks are recorded.

use std::time::SystemTime;

use super::Recorder;
use crate::auth::TrustedCallers;
use crate::backend::Connected;
use crate::base::Error;
use crate::runtime::{Missing, Mode, Parts, Runtime, RuntimeBuilder, access_in_tests};
#[cfg(feature = "testing")]
use crate::testing::signer::Signer;

/// Tasks are recorded, and run when a test says so.
#[derive(Debug, Default)]
pub struct Recorded {
    start: Option<SystemTime>,
    schedules: bool,
    callers: Option<TrustedCallers>,
}

impl Runtime {
    /// Starts building a runtime that records what is enqueued. `build()` also returns the
    /// [`Recorder`].
    pub fn recorded() -> RuntimeBuilder<Recorded> {
        RuntimeBuilder::with_mode(Recorded::default())
    }
}

impl RuntimeBuilder<Recorded> {
    /// Sets the [clock](Recorder#the-clock) to a fixed time; it stands still until the test moves it.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use cloud_tasks::Runtime;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let (_runtime, recorder) = Runtime::recorded().starting_at(SystemTime::UNIX_EPOCH).build().await?;
    /// recorder.advance(Duration::from_secs(60));
    /// assert_eq!(recorder.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(60));
    /// # Ok(())
    /// # }
    /// ```
    pub fn starting_at(self, time: SystemTime) -> Self {
        self.change_mode(|mode| mode.start = Some(time))
    }

    /// Accepts only requests that this signer signed. By default every caller is accepted.
    ///
    /// Everything is verified as in production: signature, times, audience and account.
    ///
    /// ```
    /// use cloud_tasks::testing::Signer;
    /// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// use serde::{Deserialize, Serialize};
    /// use tower::ServiceExt;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct ChargeCloud { invoice: u64 }
    ///
    /// #[task]
    /// impl Task for ChargeCloud {
    ///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let signer = Signer::new()?;
    /// let (runtime, _recorder) = Runtime::recorded().verified_by(&signer).build().await?;
    /// let charge = signer.callback(&runtime, &ChargeCloud { invoice: 7 });
    /// assert_eq!(runtime.service().oneshot(charge.clone().request()?).await?.status(), 200);
    /// assert_eq!(runtime.service().oneshot(charge.unsigned().request()?).await?.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "testing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn verified_by(self, signer: &Signer) -> Self {
        self.change_mode(|mode| mode.callers = Some(signer.callers()))
    }

    /// Lets [`drain_due`](Recorder::drain_due) and [`drain_until`](Recorder::drain_until) also run the schedules,
    /// whenever they are due from now on.
    ///
    /// ```standalone_crate
    /// use std::time::{Duration, SystemTime};
    /// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Digest;
    ///
    /// #[task(every = "0 9 * * *")]
    /// impl Task for Digest {
    ///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let start = SystemTime::UNIX_EPOCH;
    /// let (_runtime, recorder) = Runtime::recorded().starting_at(start).run_schedules().build().await?;
    /// let week = Duration::from_secs(7 * 24 * 60 * 60);
    /// assert_eq!(recorder.drain_until(week).await?, 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_schedules(self) -> Self {
        self.change_mode(|mode| mode.schedules = true)
    }
}

impl Mode for Recorded {
    type Built = (Runtime, Recorder);

    async fn build(self, mut parts: Parts) -> Result<(Runtime, Recorder), Error> {
        let recorder = Recorder::new(self.start);
        parts.set_clock(recorder.clock());
        parts.set_backend_name("the recorder");
        let (access, errors) = access_in_tests(self.callers, parts.config());
        let recording = recorder.clone();
        let connect = Box::new(move |link| Connected::new(recording.backend(link)));
        let runtime = parts.finish(Some(connect), access, Missing::Allowed, errors)?;
        if self.schedules {
            recorder.run_schedules(&runtime);
        }
        Ok((runtime.clone(), recorder.with_runtime(runtime)))
    }
}
