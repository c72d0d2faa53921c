//! The mode with a local engine.

use std::fmt;
use std::time::SystemTime;

use crate::auth::Access;
use crate::backend::{Connected, local::LocalEngine};
use crate::base::{Clock, Error, ErrorKind};
use crate::runtime::Runtime;
use crate::runtime::builder::check::list;
use crate::runtime::builder::configured::warn_of_emulator;
use crate::runtime::builder::{Missing, Mode, Parts, RuntimeBuilder};

/// Tasks go to a local engine in this process.
#[derive(Default)]
pub struct Embedded {
    clock: Clock,
}

impl RuntimeBuilder<Embedded> {
    /// Sets the clock for schedules, so that a test need not wait for midnight; by default the system clock.
    ///
    /// The clock is read about once a second, and when the next schedule is due by it. Delayed tasks, retries,
    /// deadlines and tokens keep using real time.
    ///
    /// ```no_run
    /// use std::time::{Duration, SystemTime};
    /// use cloud_tasks::Runtime;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cloud_tasks::Error> {
    /// let tomorrow = || SystemTime::now() + Duration::from_secs(24 * 60 * 60);
    /// let (runtime, engine) = Runtime::local().clock(tomorrow).build().await?;
    /// # let _ = (runtime, engine);
    /// # Ok(())
    /// # }
    /// ```
    pub fn clock(self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.change_mode(|mode| mode.clock = Clock::new(now))
    }
}

impl Mode for Embedded {
    type Built = (Runtime, LocalEngine);

    async fn build(self, mut parts: Parts) -> Result<(Runtime, LocalEngine), Error> {
        warn_of_emulator("messages", parts.config.pubsub_emulator_host());
        parts.set_backend_name("the local engine");
        let (engine, backend) = LocalEngine::start(&mut parts.config, self.clock).await?;
        parts.services = engine.services(&backend, &parts.config);
        let verifier = engine.callers().verifier(&parts.config, false);
        let verifier = verifier.map_err(|errors| Error::new(ErrorKind::Build, list(&errors)))?;
        let access = Access::verified(verifier);
        let connect = Box::new(|_| Connected::new(backend));
        let runtime = parts.finish(Some(connect), access, Missing::Fails, Vec::new())?;
        engine.subscribe(runtime.subscriptions());
        engine.keep_dead(&runtime.inner.dead_letters);
        engine.schedule(runtime.schedules());
        Ok((runtime, engine))
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").finish_non_exhaustive()
    }
}
