//! The mode whose tasks go where the settings say.

use std::fmt;
use std::sync::Arc;

use crate::auth::{Access, TrustedCallers};
use crate::backend::{Backend, Connect, Connected, Eager, Google};
use crate::base::text::safe;
use crate::base::{Config, Error, Invalid, RunMode, host_port, is_loopback};
use crate::registry::Accounts;
use crate::runtime::Runtime;
use crate::runtime::builder::{Missing, Mode, Parts, RuntimeBuilder};

/// What a newcomer does who has no account.
const WITHOUT_ACCOUNT: &str = "To run without a Google account, set CLOUD_TASKS_MODE=local: tasks then go to an engine in this process.";

/// Tasks go where the settings say ([`RunMode`]): to Google or an emulator, to a local engine, or to a run in this process.
#[derive(Default)]
pub struct Configured {
    backend: Option<Arc<dyn Backend>>,
    callers: TrustedCallers,
    trust: Trust,
    google: Google,
}

/// The configured exceptions for callers without a token.
#[derive(Clone, Copy, Default, PartialEq)]
enum Trust {
    #[default]
    Verified,
    Platform,
    Anybody,
}

impl RuntimeBuilder<Configured> {
    /// Sets a backend of your own.
    pub fn backend(self, backend: impl Backend) -> Self {
        self.change_mode(|mode| mode.backend = Some(Arc::new(backend)))
    }

    /// Sets how Google Cloud Tasks is called: credentials, endpoint, calls in flight, timeouts.
    #[cfg(feature = "google")]
    #[cfg_attr(docsrs, doc(cfg(feature = "google")))]
    pub fn google(self, google: Google) -> Self {
        self.change_mode(|mode| mode.google = google)
    }

    /// Sets which callers are trusted, if the default does not fit.
    #[cfg(feature = "google")]
    #[cfg_attr(docsrs, doc(cfg(feature = "google")))]
    pub fn callers(self, callers: TrustedCallers) -> Self {
        self.change_mode(|mode| mode.callers = callers)
    }

    /// Accepts unauthenticated tasks and messages from any caller.
    ///
    /// Use it for a service that only machines of your own can reach, or whose callers are verified by something in
    /// front of it. For Cloud Run's own check use [`trust_platform`](Self::trust_platform), which still checks who
    /// calls.
    pub fn allow_unauthenticated(self) -> Self {
        self.change_mode(|mode| mode.trust = Trust::Anybody)
    }

    /// Trusts the platform in front of this service to verify the signatures of tokens, which it removes.
    ///
    /// Cloud Run does this for a service that requires authentication (IAM): the token arrives with
    /// `SIGNATURE_REMOVED_BY_GOOGLE` in place of its signature. Its claims are still checked: issuer, audience, times
    /// and account. A token with a signature is verified completely. A request with an `X-Serverless-Authorization`
    /// header is rejected, because Cloud Run then verifies that header and not `Authorization`.
    ///
    /// On any other platform this accepts handwritten tokens. Grant `roles/run.invoker` only to accounts that you would
    /// trust here too, since the platform's check is then the one that counts.
    #[cfg(feature = "google")]
    #[cfg_attr(docsrs, doc(cfg(feature = "google")))]
    pub fn trust_platform(self) -> Self {
        self.change_mode(|mode| mode.trust = Trust::Platform)
    }
}

impl Mode for Configured {
    type Built = Runtime;

    async fn build(self, mut parts: Parts) -> Result<Runtime, Error> {
        let mut errors = Vec::new();
        // A backend from code comes before the mode of the settings.
        let mode = self.backend.is_none().then_some(parts.config.mode());
        if mode == Some(RunMode::Local) {
            if self.trust == Trust::Anybody {
                warn_of_anybody();
                return parts.build_local(None).await;
            }
            return parts.build_local(Some(self.callers)).await;
        }
        if self.backend.is_none() {
            warn_of_emulator("tasks", parts.config.cloud_tasks_emulator_host());
            warn_of_emulator("messages", parts.config.pubsub_emulator_host());
        }
        let eager = mode == Some(RunMode::Eager);
        if mode == Some(RunMode::Google) && parts.config.cloud_tasks_emulator_host().is_none() {
            parts.accounts = Accounts::Named;
        }
        let connect: Option<Connect> = match self.backend {
            Some(backend) => Some(Box::new(|_| Connected {
                backend,
                queues: None,
            })),
            None if eager => {
                parts.set_backend_name("eager");
                Some(Box::new(|link| Connected::new(Eager::new(link))))
            }
            None => match self.google.open(&mut parts.config, parts.role).await {
                Ok((connected, services)) => {
                    parts.services = services;
                    let emulator = parts.config.cloud_tasks_emulator_host();
                    let name = emulator.map_or("Google Cloud Tasks", |_| "a Cloud Tasks emulator");
                    parts.set_backend_name(name);
                    Some(Box::new(|_| connected))
                }
                Err(found) => {
                    errors.extend(found);
                    parts.hint = Some(WITHOUT_ACCOUNT);
                    None
                }
            },
        };
        let access = match access(self.trust, self.callers, &parts.config) {
            Ok(access) => access,
            // No task comes back, so no caller needs access.
            Err(_) if eager || parts.only_enqueues() => Access::nobody(),
            // The missing account was already reported.
            Err(_) if connect.is_none() => Access::nobody(),
            Err(found) => {
                errors.extend(found);
                Access::nobody()
            }
        };
        let missing = if eager { Missing::Allowed } else { Missing::Fails };
        let runtime = parts.finish(connect, access, missing, errors)?;
        runtime.warm_up().await;
        Ok(runtime)
    }
}

/// Says that an emulator is called, and more loudly if others may read along.
pub(super) fn warn_of_emulator(what: &str, host: Option<&str>) {
    let Some(host) = host else {
        return;
    };
    let shown = safe(host);
    if host_port(host).is_some_and(|host| is_loopback(&host)) {
        tracing::warn!("{what} go to the emulator at {shown}, and not to Google");
    } else {
        tracing::error!(
            "{what} go to the emulator at {shown}, which is not this machine: everything they contain travels there without \
             encryption"
        );
    }
}

fn warn_of_anybody() {
    tracing::warn!("callers are not verified: `allow_unauthenticated()` lets anybody run tasks");
}

/// The configured access control, or otherwise the safe default.
fn access(trust: Trust, callers: TrustedCallers, config: &Config) -> Result<Access, Vec<Invalid>> {
    if trust == Trust::Anybody {
        warn_of_anybody();
        return Ok(Access::anybody());
    }
    if trust == Trust::Platform {
        tracing::warn!(
            "signatures that the platform took away are not checked: `trust_platform()` lets in whoever reaches this service \
             past the platform"
        );
    }
    let verifier = callers.verifier(config, trust == Trust::Platform)?;
    Ok(Access::verified(verifier))
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").finish_non_exhaustive()
    }
}
