//! The mode with a local engine.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::auth::{Access, TrustedCallers};
use crate::backend::Connected;
use crate::backend::local::{LocalBackend, LocalEngine};
use crate::base::text::safe;
use crate::base::{Clock, Config, Error, ErrorKind, Invalid};
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
        let (engine, backend) = parts.start_engine(self.clock).await?;
        let access = engine_access(&engine, TrustedCallers::new(), &parts.config)?;
        let connect = Box::new(|_| Connected::new(backend));
        let runtime = parts.finish(Some(connect), access, Missing::Fails, Vec::new())?;
        supply(&engine, &runtime);
        Ok((runtime, engine))
    }
}

impl Parts {
    /// Builds a runtime with a local engine, which stops when the last handle of the runtime is dropped.
    ///
    /// `callers` are the code's own; without them everybody is let in.
    pub(super) async fn build_local(mut self, callers: Option<TrustedCallers>) -> Result<Runtime, Error> {
        if let Some(host) = self.config.cloud_tasks_emulator_host() {
            let error = Invalid::because(format!(
                "the mode is local, which has an engine of its own, and CLOUD_TASKS_EMULATOR_HOST names another emulator ({host}): \
                 unset one of the two"
            ));
            return Err(Error::new(ErrorKind::Build, list(&[error])));
        }
        tracing::warn!(
            "tasks go to a local engine in this process, and what waits in it is lost when the process ends"
        );
        let (engine, backend) = self.start_engine(Clock::default()).await?;
        let engine = Arc::new(engine);
        let access = match callers {
            Some(callers) => engine_access(&engine, callers, &self.config)?,
            None => Access::anybody(),
        };
        self.engine = Some(Arc::clone(&engine) as _);
        let connect = Box::new(|_| Connected::new(backend));
        let runtime = self.finish(Some(connect), access, Missing::Fails, Vec::new())?;
        supply(&engine, &runtime);
        Ok(runtime)
    }

    async fn start_engine(&mut self, clock: Clock) -> Result<(LocalEngine, LocalBackend), Error> {
        warn_of_emulator("messages", self.config.pubsub_emulator_host());
        self.set_backend_name("the local engine");
        if self.config.endpoint().starts_with("https://") {
            tracing::warn!(
                endpoint = &*safe(self.config.endpoint()),
                "the local engine calls this https endpoint, which is probably not served by this process: set CLOUD_TASKS_ENDPOINT \
                 to an http URL of this machine, such as http://localhost:8080"
            );
        }
        let (engine, backend) = LocalEngine::start(&mut self.config, clock).await?;
        self.services = engine.services(&backend, &self.config);
        Ok((engine, backend))
    }
}

/// Accepts the engine, and the accounts and audiences of these callers.
fn engine_access(engine: &LocalEngine, callers: TrustedCallers, config: &Config) -> Result<Access, Error> {
    let verifier = engine.sign_for(callers).verifier(config, false);
    let verifier = verifier.map_err(|errors| Error::new(ErrorKind::Build, list(&errors)))?;
    Ok(Access::verified(verifier))
}

/// Tells the engine what the runtime has registered.
fn supply(engine: &LocalEngine, runtime: &Runtime) {
    engine.subscribe(runtime.subscriptions());
    engine.capture_dead(&runtime.inner.dead_letters);
    engine.schedule(runtime.schedules());
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").finish_non_exhaustive()
    }
}
