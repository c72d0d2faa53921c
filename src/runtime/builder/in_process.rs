//! The mode whose tasks run in this process.

use crate::auth::{Access, TrustedCallers};
use crate::backend::{Connected, Eager};
use crate::base::{Config, Error, Invalid};
use crate::runtime::Runtime;
use crate::runtime::builder::{Missing, Mode, Parts};

/// Tasks run in this process as soon as they are enqueued.
#[derive(Debug, Default)]
pub struct InProcess {
    callers: Option<TrustedCallers>,
}

impl InProcess {
    /// Accepts only these callers.
    #[cfg(feature = "testing")]
    pub(crate) fn set_callers(&mut self, callers: TrustedCallers) {
        self.callers = Some(callers);
    }
}

impl Mode for InProcess {
    type Built = Runtime;

    async fn build(self, mut parts: Parts) -> Result<Runtime, Error> {
        let (access, errors) = access_in_tests(self.callers, &parts.config);
        parts.set_backend_name("eager");
        let connect = Box::new(|link| Connected::new(Eager::new(link)));
        parts.finish(Some(connect), access, Missing::Allowed, errors)
    }
}

/// The access control of a test runtime: open, unless a test says otherwise. Returns its errors too.
pub(crate) fn access_in_tests(callers: Option<TrustedCallers>, config: &Config) -> (Access, Vec<Invalid>) {
    match callers.map(|callers| callers.verifier(config, false)) {
        None => (Access::anybody(), Vec::new()),
        Some(Ok(verifier)) => (Access::verified(verifier), Vec::new()),
        Some(Err(errors)) => (Access::nobody(), errors),
    }
}
