//! The mode with a local engine.

use std::fmt;

use crate::auth::Access;
use crate::backend::{Connected, local::LocalEngine};
use crate::base::{Clock, Error, ErrorKind};
use crate::runtime::Runtime;
use crate::runtime::builder::check::list;
use crate::runtime::builder::configured::warn_of_emulator;
use crate::runtime::builder::{Missing, Mode, Parts};

/// Tasks go to a local engine in this process.
#[derive(Default)]
pub struct Embedded {
    clock: Clock,
}

impl Embedded {
    pub(super) fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
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
