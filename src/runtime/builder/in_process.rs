//! Runtimes whose tasks stay in this process: run at once, or recorded.

use std::sync::Arc;
use std::time::SystemTime;

use crate::auth::Access;
#[cfg(feature = "testing")]
use crate::auth::TrustedCallers;
use crate::backend::eager::Eager;
#[cfg(feature = "testing")]
use crate::base::config::Config;
use crate::base::error::Error;
use crate::runtime::Runtime;
use crate::runtime::builder::RuntimeBuilder;
#[cfg(feature = "testing")]
use crate::testing::Signer;
use crate::testing::recorder::Recorder;

/// Tasks run in this process, at once.
#[derive(Debug, Default)]
pub struct InProcess {
    #[cfg(feature = "testing")]
    callers: Option<TrustedCallers>,
}

/// Tasks are recorded, and run when a test says so.
#[derive(Debug, Default)]
pub struct Recorded {
    start: Option<SystemTime>,
    schedules: bool,
    #[cfg(feature = "testing")]
    callers: Option<TrustedCallers>,
}

impl RuntimeBuilder<InProcess> {
    /// Lets in only callers whose requests this signer signed; without it everybody gets in.
    #[cfg(feature = "testing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn verified_by(mut self, signer: &Signer) -> Self {
        self.mode.callers = Some(signer.callers());
        self
    }

    /// Checks everything but missing states, and builds the runtime.
    ///
    /// # Errors
    ///
    /// With all that is wrong at once.
    #[expect(
        clippy::unused_async,
        reason = "every `build()` is awaited, whatever the mode"
    )]
    pub async fn build(self) -> Result<Runtime, Error> {
        let (access, mistakes) = access_in_tests(
            #[cfg(feature = "testing")]
            self.mode.callers,
            #[cfg(feature = "testing")]
            &self.parts.config,
        );
        let mut parts = self.parts;
        let eager = Arc::new(Eager::default());
        parts.operations = Some(Arc::clone(&eager) as _);
        parts.finish(Some(eager), access, false, mistakes)
    }
}

impl RuntimeBuilder<Recorded> {
    /// Sets the [clock](Recorder#the-clock) to a time at which it stands still until the test moves it.
    ///
    /// ```standalone_crate
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
    pub fn starting_at(mut self, time: SystemTime) -> Self {
        self.mode.start = Some(time);
        self
    }

    /// Lets in only callers whose requests this signer signed; without it everybody gets in.
    ///
    /// Everything is checked as in production: signature, times, audience and account.
    ///
    /// ```standalone_crate
    /// use cloud_tasks::testing::Signer;
    /// use cloud_tasks::{Context, Runtime, Task, TaskResult, task};
    /// use serde::{Deserialize, Serialize};
    /// use tower::ServiceExt;
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Charge { invoice: u64 }
    ///
    /// #[task]
    /// impl Task for Charge {
    ///     async fn run(self, _cx: Context) -> TaskResult { Ok(()) }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let signer = Signer::new()?;
    /// let (runtime, _recorder) = Runtime::recorded().verified_by(&signer).build().await?;
    /// let charge = signer.callback(&runtime, &Charge { invoice: 7 });
    /// assert_eq!(runtime.service().oneshot(charge.clone().request()?).await?.status(), 200);
    /// assert_eq!(runtime.service().oneshot(charge.unsigned().request()?).await?.status(), 401);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "testing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn verified_by(mut self, signer: &Signer) -> Self {
        self.mode.callers = Some(signer.callers());
        self
    }

    /// Lets [`drain_due`](Recorder::drain_due) and [`drain_until`](Recorder::drain_until) run the schedules too, each time
    /// that they are due from now on.
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
    pub fn run_schedules(mut self) -> Self {
        self.mode.schedules = true;
        self
    }

    /// Checks everything but missing states, and builds the runtime and its recorder.
    ///
    /// # Errors
    ///
    /// With all that is wrong at once.
    #[expect(
        clippy::unused_async,
        reason = "every `build()` is awaited, whatever the mode"
    )]
    pub async fn build(self) -> Result<(Runtime, Recorder), Error> {
        let Self { mode, mut parts } = self;
        let recorder = Recorder::new(mode.start);
        parts.clock = recorder.clock();
        let backend = Arc::new(recorder.backend());
        let (access, mistakes) = access_in_tests(
            #[cfg(feature = "testing")]
            mode.callers,
            #[cfg(feature = "testing")]
            &parts.config,
        );
        parts.operations = Some(Arc::clone(&backend) as _);
        let runtime = parts.finish(Some(backend), access, false, mistakes)?;
        if mode.schedules {
            recorder.run_schedules(&runtime);
        }
        Ok((runtime.clone(), recorder.with_runtime(runtime)))
    }
}

/// Who may call where nothing leaves this process: everybody, unless a test says otherwise; and what is wrong with that.
fn access_in_tests(
    #[cfg(feature = "testing")] callers: Option<TrustedCallers>,
    #[cfg(feature = "testing")] config: &Config,
) -> (Access, Vec<String>) {
    #[cfg(feature = "testing")]
    if let Some(callers) = callers {
        return match callers.verifier(config, false) {
            Ok(verifier) => (Access::verified(verifier), Vec::new()),
            Err(mistakes) => (Access::nobody(), mistakes),
        };
    }
    (Access::anybody(), Vec::new())
}
