//! Where tasks go, and how a runtime of each mode is built.

use std::fmt;
use std::sync::Arc;
#[cfg(feature = "local")]
use std::time::SystemTime;

use crate::auth::Access;
#[cfg(feature = "google")]
use crate::auth::TrustedCallers;
use crate::backend::Backend;
use crate::backend::eager::Eager;
#[cfg(feature = "google")]
use crate::backend::google::Google;
#[cfg(feature = "local")]
use crate::backend::google::PubSubAccess;
#[cfg(feature = "local")]
use crate::backend::local::LocalEngine;
#[cfg(feature = "local")]
use crate::base::clock::Clock;
use crate::base::config::Config;
use crate::base::error::Error;
#[cfg(feature = "local")]
use crate::base::error::ErrorKind;
use crate::runtime::Runtime;
use crate::runtime::builder::RuntimeBuilder;
#[cfg(feature = "local")]
use crate::runtime::builder::check::list;

/// Tasks go where the settings say: to Google, to an emulator, or nowhere with `EAGER`.
#[derive(Default)]
pub struct Configured {
    backend: Option<Arc<dyn Backend>>,
    #[cfg(feature = "google")]
    callers: TrustedCallers,
    trust: Trust,
    #[cfg(feature = "google")]
    google: Google,
}

/// What a user said of callers that show no token of their own.
#[derive(Clone, Copy, Default, PartialEq)]
enum Trust {
    #[default]
    Verified,
    #[cfg(feature = "google")]
    Platform,
    Anybody,
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").finish_non_exhaustive()
    }
}

/// Tasks go to a local engine that belongs to this process.
#[cfg(feature = "local")]
pub struct Embedded {
    pub(super) clock: Clock,
}

#[cfg(feature = "local")]
impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").finish_non_exhaustive()
    }
}

impl RuntimeBuilder<Configured> {
    /// Sends tasks to a backend of your own.
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.mode.backend = Some(Arc::new(backend));
        self
    }

    /// Sets how Google Cloud Tasks is called: credentials, endpoint, calls in flight, time limits.
    #[cfg(feature = "google")]
    #[cfg_attr(docsrs, doc(cfg(feature = "google")))]
    pub fn google(mut self, google: Google) -> Self {
        self.mode.google = google;
        self
    }

    /// Sets who may call, where the default does not fit.
    #[cfg(feature = "google")]
    #[cfg_attr(docsrs, doc(cfg(feature = "google")))]
    pub fn callers(mut self, callers: TrustedCallers) -> Self {
        self.mode.callers = callers;
        self
    }

    /// Runs tasks and takes messages for anybody who calls, without a token.
    ///
    /// For a service that only machines of your own can reach, or whose callers something in front of it verifies. For
    /// Cloud Run's own check there is [`trust_platform`](Self::trust_platform), which still looks at who calls.
    pub fn allow_unauthenticated(mut self) -> Self {
        self.mode.trust = Trust::Anybody;
        self
    }

    /// Believes the platform in front of this service that it checked the signatures of tokens, and took them away.
    ///
    /// Cloud Run does so for a service that requires authentication (IAM): the token arrives with
    /// `SIGNATURE_REMOVED_BY_GOOGLE` in the place of its signature. All that it says is checked still: issuer, audience,
    /// times, account. A token that has its signature is checked in full, and a request that has an
    /// `X-Serverless-Authorization` header is refused, since Cloud Run then checks that one and not `Authorization`.
    ///
    /// Where no such platform stands in front, this lets in whoever writes a token by hand. Give `roles/run.invoker` only to
    /// accounts that you would trust here too: the platform's check is then the one that counts.
    #[cfg(feature = "google")]
    #[cfg_attr(docsrs, doc(cfg(feature = "google")))]
    pub fn trust_platform(mut self) -> Self {
        self.mode.trust = Trust::Platform;
        self
    }

    /// Checks everything and builds the runtime.
    ///
    /// # Errors
    ///
    /// With all that is wrong at once. Nothing was sent, and nothing keeps running.
    #[cfg_attr(
        not(feature = "google"),
        expect(clippy::unused_async, reason = "every `build()` is awaited")
    )]
    pub async fn build(self) -> Result<Runtime, Error> {
        let Self { mode, mut parts } = self;
        let mut mistakes = Vec::new();
        let eager = parts.config.eager && mode.backend.is_none();
        let backend: Option<Arc<dyn Backend>> = match mode.backend {
            Some(backend) => Some(backend),
            None if eager => {
                let eager = Arc::new(Eager::default());
                parts.operations = Some(Arc::clone(&eager) as _);
                Some(eager)
            }
            #[cfg(feature = "google")]
            None => match mode.google.connect(&mut parts.config).await {
                Ok(backend) => {
                    parts.pubsub = backend.pubsub_access().cloned();
                    parts.queue_access = Some(backend.queues.clone());
                    parts.scheduler.clone_from(&backend.scheduler);
                    let backend = Arc::new(backend);
                    parts.operations = Some(Arc::clone(&backend) as _);
                    Some(backend)
                }
                Err(found) => {
                    mistakes.extend(found);
                    None
                }
            },
            #[cfg(not(feature = "google"))]
            None => {
                mistakes.push(
                    "there is no backend: enable the feature `google`, set CLOUD_TASKS_EAGER, or name a `.backend(..)`"
                        .to_owned(),
                );
                None
            }
        };
        let access = access(
            mode.trust,
            #[cfg(feature = "google")]
            mode.callers,
            &parts.config,
        );
        let access = match access {
            Ok(access) => access,
            // Its tasks do not come back, so nobody needs to get in.
            Err(_) if eager => Access::nobody(),
            // What there is no account for was said already.
            Err(_) if backend.is_none() => Access::nobody(),
            Err(found) => {
                mistakes.extend(found);
                Access::nobody()
            }
        };
        parts.finish(backend, access, !eager, mistakes)
    }
}

#[cfg(feature = "local")]
impl RuntimeBuilder<Embedded> {
    /// Sets the clock that schedules go by, so that a test need not wait for midnight; that of the machine, unless set.
    ///
    /// It is looked at about once a second, and when the next schedule is due by it. Everything else keeps the real time:
    /// delayed tasks, retries, deadlines and tokens.
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
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.mode.clock = Clock::new(now);
        self
    }

    /// Checks everything, starts the engine, and builds the runtime.
    ///
    /// # Errors
    ///
    /// With all that is wrong at once, or when the engine cannot listen on a loopback port. Nothing keeps running.
    pub async fn build(self) -> Result<(Runtime, LocalEngine), Error> {
        let Self { mode, mut parts } = self;
        let (engine, backend) = LocalEngine::start(&mut parts.config, mode.clock).await?;
        parts.pubsub = PubSubAccess::emulator(&parts.config);
        parts.queue_access = Some(backend.queue_access());
        if parts.pubsub.is_none() {
            parts.dead_letter_store = Some(Arc::new(engine.dead_letter_store()));
        }
        let access = engine
            .callers()
            .verifier(&parts.config, false)
            .map(Access::verified);
        let access = access.map_err(|mistakes| Error::new(ErrorKind::Build, list(&mistakes)))?;
        let backend = Arc::new(backend);
        parts.operations = Some(Arc::clone(&backend) as _);
        let runtime = parts.finish(Some(backend), access, true, Vec::new())?;
        engine.subscribe(runtime.subscriptions());
        engine.keep_dead(&runtime.inner().dead_letters);
        engine.schedule(runtime.schedules());
        Ok((runtime, engine))
    }
}

/// Who may call, as the user said and else as it is safe.
fn access(
    trust: Trust,
    #[cfg(feature = "google")] callers: TrustedCallers,
    #[cfg_attr(not(feature = "google"), expect(unused_variables))] config: &Config,
) -> Result<Access, Vec<String>> {
    if trust == Trust::Anybody {
        tracing::warn!("callers are not verified: `allow_unauthenticated()` lets everybody run tasks");
        return Ok(Access::anybody());
    }
    #[cfg(feature = "google")]
    return callers
        .verifier(config, trust == Trust::Platform)
        .map(Access::verified);
    #[cfg(not(feature = "google"))]
    Err(vec![
        "callers cannot be verified without the feature `google`: enable it, or let everybody in with \
         `.allow_unauthenticated()`"
            .to_owned(),
    ])
}
