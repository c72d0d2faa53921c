//! Runtimes whose tasks run in this process, at once.

use crate::auth::{Access, TrustedCallers};
use crate::backend::{Connected, Eager};
use crate::base::{Config, Error};
use crate::runtime::Runtime;
use crate::runtime::builder::{Missing, Mode, Parts};

/// Tasks run in this process, at once.
#[derive(Debug, Default)]
pub struct InProcess {
    callers: Option<TrustedCallers>,
}

impl InProcess {
    /// Lets in only these callers.
    #[cfg(feature = "testing")]
    pub(crate) fn set_callers(&mut self, callers: TrustedCallers) {
        self.callers = Some(callers);
    }
}

impl Mode for InProcess {
    type Built = Runtime;

    async fn build(self, parts: Parts) -> Result<Runtime, Error> {
        let (access, mistakes) = access_in_tests(self.callers, &parts.config);
        let connect = Box::new(|link| Connected::new(Eager::new(link)));
        parts.finish(Some(connect), access, Missing::Allowed, mistakes)
    }
}

/// Who may call where nothing leaves this process: everybody, unless a test says otherwise; and what is wrong with that.
pub(crate) fn access_in_tests(callers: Option<TrustedCallers>, config: &Config) -> (Access, Vec<String>) {
    match callers.map(|callers| callers.verifier(config, false)) {
        None => (Access::anybody(), Vec::new()),
        Some(Ok(verifier)) => (Access::verified(verifier), Vec::new()),
        Some(Err(mistakes)) => (Access::nobody(), mistakes),
    }
}
